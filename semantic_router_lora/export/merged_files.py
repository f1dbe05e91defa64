"""The files of a merged model, in the layout of sentence-transformers.

Pooling, length and case are written from what this package read of the base, whatever form the
base keeps them in; its configuration and tokenizer are copied, with what must change.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.read import Adapter
from semantic_router_lora.base_models import WEIGHTS_FILE, BaseModel
from semantic_router_lora.building import tokenizer_for

CONFIG = "config.json"
_TOKENIZER_FILES = (
    layout.TOKENIZER,
    layout.TOKENIZER_CONFIG,
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "tokenizer.model",
)
_MODULES = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
_POOLING_FLAGS = {
    "cls": "pooling_mode_cls_token",
    "mean": "pooling_mode_mean_tokens",
    "max": "pooling_mode_max_tokens",
}


def write_weights(folder: Path, base: BaseModel, adapter: Adapter) -> None:
    """Merge, and write model.safetensors and config.json.

    Raises:
        BaseModelError, AdapterFormatError, AdapterMismatchError: as loading the two does.
    """
    from safetensors import safe_open

    from semantic_router_lora.adapters.merge import merge_adapter
    from semantic_router_lora.engines.transformers import LOADING, load_model, quiet

    with LOADING, quiet():
        model = merge_adapter(load_model(base), adapter)
        state = model.state_dict()
        with safe_open(base.folder / WEIGHTS_FILE, "pt") as file:
            if not any("pooler" in key for key in file.keys()):  # noqa: SIM118
                # transformers made one up, from random numbers
                state = {key: value for key, value in state.items() if "pooler" not in key}
        model.save_pretrained(folder, state_dict=state, max_shard_size=sys.maxsize)
    # transformers writes this file for its owner alone
    (folder / WEIGHTS_FILE).chmod((folder / CONFIG).stat().st_mode)
    # The base's own configuration, which older releases of transformers read as well.
    config = _read(base.folder / CONFIG)
    for key in ("_name_or_path", "auto_map", "torch_dtype"):
        config.pop(key, None)
    _write(folder / CONFIG, config | {"architectures": [type(model).__name__], "dtype": "float32"})


def write_modules(folder: Path, base: BaseModel, *, dim: int, max_length: int) -> None:
    """Write what sentence-transformers keeps beside the weights.

    Args:
        folder: where to.
        base: whose pooling and case are written.
        dim: length of a vector.
        max_length: tokens kept of a text, special tokens included.
    """
    modules = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for n, (path, kind) in enumerate(_MODULES)
    ]
    for path, _ in _MODULES:
        (folder / path).mkdir(exist_ok=True)
    _write(folder / "modules.json", modules)
    flags = {flag: mode == base.pooling for mode, flag in _POOLING_FLAGS.items()}
    pooling = {"word_embedding_dimension": dim, **flags, "pooling_mode_mean_sqrt_len_tokens": False}
    _write(folder / "1_Pooling" / CONFIG, pooling)
    settings = {"max_seq_length": max_length, "do_lower_case": base.lower_case}
    _write(folder / "sentence_bert_config.json", settings)
    defaults: dict[str, Any] = {
        "prompts": {},
        "default_prompt_name": None,
        "similarity_fn_name": "cosine",
    }
    name = "config_sentence_transformers.json"
    _write(folder / name, defaults | _read(base.folder / name))


def write_tokenizer(folder: Path, base: BaseModel, adapter: Adapter, *, max_length: int) -> None:
    """Write the tokenizer that the embedder uses, with its length.

    Encoders that know only transformers cut texts at the tokenizer's own length, which is often
    longer than the model's.
    """
    if adapter.tokenizer is None or not _differs(base, adapter):
        for name in _TOKENIZER_FILES:
            if (base.folder / name).is_file():
                (folder / name).write_bytes((base.folder / name).read_bytes())
        settings = _read(folder / layout.TOKENIZER_CONFIG)
    else:
        (folder / layout.TOKENIZER).write_bytes(adapter.tokenizer.read_bytes())
        named = _read(base.folder / layout.TOKENIZER_CONFIG)
        named |= _read(adapter.folder / layout.TOKENIZER_CONFIG)
        # A class of its own name would be built anew, from settings instead of from this file.
        settings = {key: value for key, value in named.items() if key.endswith("_token")}
        settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    for key in ("auto_map", "name_or_path", "tokenizer_file"):
        settings.pop(key, None)
    _write(folder / layout.TOKENIZER_CONFIG, settings | {"model_max_length": max_length})


def _differs(base: BaseModel, adapter: Adapter) -> bool:
    """Whether the adapter's own tokenizer is another than the base's."""
    unlimited = sys.maxsize
    own, bases = (tokenizer_for(base, who, unlimited, unlimited) for who in (adapter, None))
    return own.serialized() != bases.serialized()


def _read(path: Path) -> dict[str, Any]:
    """A JSON object of a base or adapter that was loaded, hence is sound; empty without a file."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
