"""Writing graphs and, beside them, the file of their weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semantic_router_lora.errors import require

# Smaller tensors stay in their graph.
_LEAST_BYTES = 4096
# What ONNX recommends for offsets, so that weights can be mapped into memory.
_PAGE = 4096


def save_graphs(models: Mapping[Path, Any], weights: Path) -> None:
    """Write models to a file each, and their weights to one that they share; check them.

    A runtime maps the weights into memory instead of copying them, and reads only what it needs:
    a few rows of the embeddings, which are half of a small model.

    Args:
        models: ``onnx.ModelProto`` by the file to write, with all weights, which are taken out of
            them; weights of one name are the same.
        weights: file to write, in the same folder.

    Raises:
        MissingExtraError: without onnx.
    """
    onnx: Any = require("onnx", "onnx")
    external: Any = require("onnx.external_data_helper", "onnx")
    offsets: dict[str, int] = {}
    with weights.open("wb") as file:
        for tensor in (found for model in models.values() for found in model.graph.initializer):
            size = len(tensor.raw_data)
            if size < _LEAST_BYTES:
                continue
            if tensor.name not in offsets:
                file.seek(-file.tell() % _PAGE, 1)
                offsets[tensor.name] = file.tell()
                file.write(tensor.raw_data)
            external.set_external_data(tensor, weights.name, offsets[tensor.name], size)
            tensor.ClearField("raw_data")
    for path, model in models.items():
        path.write_bytes(model.SerializeToString())
        onnx.checker.check_model(str(path))
