"""fastembed, Qdrant's embedder, with the base model that the other encoders run.

By itself it downloads a file of that model. Here the file is made from the base that lies on this
machine: no connection is needed, and the vectors are known to be those of the same weights.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from semantic_router_lora.base_models import DEFAULT_BASE, resolve_base
from semantic_router_lora.engines.bert import BertConfig, read_bert_config

GRAPH = "model.onnx"
NAME = "exported/base"  # fastembed has models of its own under the names of the Hub
_TOKENIZER = ("tokenizer.json", "special_tokens_map.json", "config.json")
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_OUTPUT = "last_hidden_state"


def export_base(folder: Path) -> None:
    """Write the default base as fastembed reads models.

    The graph has been through ONNX Runtime's optimiser for transformers, which makes one operator
    of each attention and of each normalisation.

    Args:
        folder: to be made.
    """
    from onnxruntime.transformers.optimizer import optimize_model

    base = resolve_base(DEFAULT_BASE)
    config = read_bert_config(base)
    assert isinstance(config, BertConfig)
    folder.mkdir(parents=True)
    graph = folder / GRAPH
    _export_graph(graph)
    optimized = optimize_model(
        str(graph),
        "bert",
        num_heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
    )
    optimized.save_model_to_file(str(graph))
    for name in _TOKENIZER:
        shutil.copy(base.folder / name, folder)
    # fastembed truncates where this file says, sentence-transformers where a file of its own does
    name = "tokenizer_config.json"
    settings = json.loads((base.folder / name).read_text(encoding="utf-8"))
    settings["model_max_length"] = base.max_seq_length
    (folder / name).write_text(json.dumps(settings), encoding="utf-8")


def _export_graph(path: Path) -> None:
    import torch

    from semantic_router_lora.engines.transformers import load_model

    class Named(torch.nn.Module):
        """The model with arguments by name: transformers' own cannot be traced without."""

        def __init__(self) -> None:
            super().__init__()
            self.model = load_model(resolve_base(DEFAULT_BASE))
            # the form of attention that the optimiser finds and fuses
            self.model.set_attn_implementation("eager")

        def forward(self, *arguments: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.model(**dict(zip(_INPUTS, arguments, strict=True)))[0]
            return found

    ids = torch.tensor([[101, 7592, 2088, 102], [101, 7592, 102, 0]])
    mask = (ids > 0).long()
    with warnings.catch_warnings():
        # that this exporter is old (the optimiser knows no graph of the new one), and that
        # shapes are traced, which dynamic_axes is there for
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Named().eval(),
            (ids, mask, torch.zeros_like(ids)),
            str(path),
            input_names=list(_INPUTS),
            output_names=[_OUTPUT],
            dynamic_axes={name: {0: "texts", 1: "length"} for name in (*_INPUTS, _OUTPUT)},
            opset_version=17,
            dynamo=False,
        )


def load(folder: Path, threads: int) -> tuple[Callable[[Sequence[str]], Any], Any]:
    """Load what `export_base` wrote; once a process, as fastembed keeps the name.

    Args:
        folder: of the model.
        threads: of ONNX Runtime.

    Returns:
        What encodes texts, as fastembed is used by itself; and semantic-router's encoder of it.
    """
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType
    from semantic_router.encoders import FastEmbedEncoder

    config = read_bert_config(resolve_base(DEFAULT_BASE))
    assert isinstance(config, BertConfig)
    TextEmbedding.add_custom_model(
        NAME,
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(hf=NAME),  # must be given; nothing is fetched, for the folder below
        dim=config.hidden_size,
        model_file=GRAPH,
    )
    model = TextEmbedding(NAME, threads=threads, specific_model_path=str(folder))

    class Local(FastEmbedEncoder):
        """With the model above: by itself it takes a name, but no folder."""

        def _initialize_client(self) -> Any:
            return model

    return lambda texts: list(model.embed(texts)), Local(name=NAME, threads=threads)
