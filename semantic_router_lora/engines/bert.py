"""What BERT consists of, by the names that transformers gives it, and which files hold that."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from semantic_router_lora.base_models import WEIGHTS_FILE, BaseModel

# In config.json: what the packed engine computes. Absent stands for the first value.
_COMPUTED: dict[str, tuple[Any, ...]] = {
    "hidden_act": ("gelu",),
    "position_embedding_type": ("absolute", None),
    "is_decoder": (False, None),
    "add_cross_attention": (False, None),
    "quantization_config": (None,),
    "auto_map": (None,),
}
_SIZES = (
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "type_vocab_size",
    "vocab_size",
)
_DTYPES = ("F32", "F16", "BF16")
# What checkpoints hold beside the encoder: the pooler, position numbers, heads of other tasks.
_UNUSED = re.compile(r"(pooler|cls)\.|embeddings\.position_ids$")


@dataclass(frozen=True)
class BertConfig:
    """The sizes of a BERT encoder, by the names that config.json has for them."""

    hidden_size: int
    intermediate_size: int
    max_position_embeddings: int
    num_attention_heads: int
    num_hidden_layers: int
    type_vocab_size: int
    vocab_size: int
    layer_norm_eps: float

    def linear_layers(self) -> dict[str, tuple[int, int]]:
        """Name and (out, in) of each linear layer that transformers' BertModel has."""
        dim, inner = self.hidden_size, self.intermediate_size
        shapes = {}
        for i in range(self.num_hidden_layers):
            layer = f"encoder.layer.{i}"
            for name in ("query", "key", "value"):
                shapes[f"{layer}.attention.self.{name}"] = (dim, dim)
            shapes[f"{layer}.attention.output.dense"] = (dim, dim)
            shapes[f"{layer}.intermediate.dense"] = (inner, dim)
            shapes[f"{layer}.output.dense"] = (dim, inner)
        return shapes | {"pooler.dense": (dim, dim)}

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each tensor that sentence vectors depend on."""
        dim = self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {
            "embeddings.word_embeddings.weight": (self.vocab_size, dim),
            "embeddings.position_embeddings.weight": (self.max_position_embeddings, dim),
            "embeddings.token_type_embeddings.weight": (self.type_vocab_size, dim),
        }
        norms = ["embeddings.LayerNorm"]
        for i in range(self.num_hidden_layers):
            layer = f"encoder.layer.{i}"
            norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
        for norm in norms:
            shapes |= {f"{norm}.weight": (dim,), f"{norm}.bias": (dim,)}
        for name, (rows, columns) in self.linear_layers().items():
            if name != "pooler.dense":
                shapes |= {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}
        return shapes


def read_bert_config(base: BaseModel) -> BertConfig | str:
    """The sizes of a base that `BertWeights` can hold, or why it cannot.

    Only the header of the weights file is read.
    """
    from safetensors import SafetensorError, safe_open

    try:
        config = json.loads((base.folder / "config.json").read_text(encoding="utf-8"))
        kind = config.get("model_type")
        if kind != "bert":
            return f"its architecture is {kind}, not bert"
        for key, computed in _COMPUTED.items():
            if config.get(key, computed[0]) not in computed:
                return f"its config.json sets {key} to {config[key]!r}"
        sizes = {name: config[name] for name in _SIZES}
        if not all(type(size) is int and size > 0 for size in sizes.values()):
            return f"its config.json has sizes of {sizes}"
        if sizes["hidden_size"] % sizes["num_attention_heads"]:
            return "its hidden_size is no multiple of num_attention_heads"
        shape = BertConfig(**sizes, layer_norm_eps=float(config.get("layer_norm_eps", 1e-12)))
        with safe_open(base.folder / WEIGHTS_FILE, "pt") as file:
            slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118
            found = {key: (tuple(s.get_shape()), s.get_dtype()) for key, s in slices.items()}
    except (ValueError, TypeError, KeyError, AttributeError, OSError, SafetensorError) as error:
        return f"its files cannot be read: {type(error).__name__}: {error}"
    return _weights_problem(shape.tensors(), found) or shape


def _weights_problem(
    expected: dict[str, tuple[int, ...]], found: dict[str, tuple[tuple[int, ...], str]]
) -> str | None:
    for key, shape in expected.items():
        if key not in found:
            return f"its weights have no {key}"
        if found[key][0] != shape or found[key][1] not in _DTYPES:
            return f"its weights have {key} of {found[key]}, expected {shape} of {_DTYPES[0]}"
    surplus = sorted(key for key in found.keys() - expected.keys() if not _UNUSED.match(key))
    return f"its weights have {surplus[0]}, for which BERT has no place" if surplus else None
