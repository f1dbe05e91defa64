"""Writing a graph and, beside it, the file of its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from semantic_router_lora.errors import require

# Smaller tensors stay in the graph.
_LEAST_BYTES = 4096
# What ONNX recommends for offsets, so that weights can be mapped into memory.
_PAGE = 4096


def save_graph(model: Any, graph: Path, weights: Path) -> None:
    """Write a model to two files, and check it.

    A runtime maps the weights into memory instead of copying them, and reads only what it needs:
    a few rows of the embeddings, which are half of a small model.

    Args:
        model: an ``onnx.ModelProto`` that holds all its weights; they are taken out of it.
        graph: file to write.
        weights: file to write, in the same folder.

    Raises:
        MissingExtraError: without onnx.
    """
    onnx: Any = require("onnx", "onnx")
    external: Any = require("onnx.external_data_helper", "onnx")
    with weights.open("wb") as file:
        for tensor in model.graph.initializer:
            if len(tensor.raw_data) < _LEAST_BYTES:
                continue
            file.seek(-file.tell() % _PAGE, 1)
            external.set_external_data(
                tensor, weights.name, offset=file.tell(), length=len(tensor.raw_data)
            )
            file.write(tensor.raw_data)
            tensor.ClearField("raw_data")
    graph.write_bytes(model.SerializeToString())
    onnx.checker.check_model(str(graph))
