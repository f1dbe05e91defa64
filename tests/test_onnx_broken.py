"""Exported folders that are broken, and options that none can follow: one clear error each."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

from semantic_router_lora import Embedder, LoRAHuggingFaceEncoder
from semantic_router_lora.base_models import file_sha256
from semantic_router_lora.errors import BaseModelError, InputError, MissingExtraError
from semantic_router_lora.export.folder import (
    GRAPH,
    INFO,
    SINGLE,
    TOKENIZER,
    WEIGHTS,
    read_exported,
)


def rewrite(folder: Path, **changes: Any) -> None:
    """Change what export.json says, its checksum included."""
    replace(read_exported(str(folder)).info, **changes).write(folder)


def put_graph(folder: Path, content: bytes) -> None:
    """Another graph, with its right hash."""
    (folder / GRAPH).write_bytes(content)
    rewrite(folder, graph_sha256=file_sha256(folder / GRAPH))


def edited_graph(folder: Path, change: Callable[[Any], None]) -> None:
    model = onnx.load(folder / GRAPH, load_external_data=False)
    change(model)
    put_graph(folder, model.SerializeToString())


def cut_short(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def other_tokenizer(folder: Path) -> None:
    path = folder / TOKENIZER
    path.write_text(
        path.read_text(encoding="utf-8").replace('"lowercase":true', '"lowercase":false')
    )


def edited_info(folder: Path) -> None:
    info = json.loads((folder / INFO).read_text())
    (folder / INFO).write_text(json.dumps(info | {"max_length": 8}))


def later_format(folder: Path) -> None:
    rewrite(folder, format_version=3)


def later_opset(folder: Path) -> None:
    def change(model: Any) -> None:
        model.opset_import[0].version = 999

    edited_graph(folder, change)


def weights_outside(folder: Path) -> None:
    def change(model: Any) -> None:
        shutil.copy(folder / WEIGHTS, folder.parent / "outside")
        location_of_a_tensor(model).value = "../outside"

    edited_graph(folder, change)


def second_name(folder: Path) -> None:
    """One more tensor, whose key has the right value and then another, which a parser takes."""
    entry = b"\n\x08location\x12\x0bweights.bin" + b"\x12\x0a../outside"
    message = entry
    for field in (13, 5, 7):  # external_data of a tensor, initializer of a graph, graph of a model
        message = bytes([field << 3 | 2, len(message)]) + message
    put_graph(folder, (folder / GRAPH).read_bytes() + message)
    model = onnx.load(folder / GRAPH, load_external_data=False)
    assert model.graph.initializer[-1].external_data[0].value == "../outside"


def other_single(folder: Path) -> None:
    model = onnx.load(folder / SINGLE, load_external_data=False)
    location_of_a_tensor(model).value = "../outside"
    (folder / SINGLE).write_bytes(model.SerializeToString())
    rewrite(folder, single_sha256=file_sha256(folder / SINGLE))


def location_of_a_tensor(model: Any) -> Any:
    tensor = next(t for t in model.graph.initializer if t.name == "layer.0.query_key_value")
    return next(entry for entry in tensor.external_data if entry.key == "location")


def other_output(folder: Path) -> None:
    edited_graph(folder, lambda model: setattr(model.graph.output[0], "name", "grid"))


BROKEN: list[tuple[Callable[[Path], Any], str]] = [
    (lambda folder: (folder / GRAPH).unlink(), "has no model.onnx"),
    (lambda folder: (folder / TOKENIZER).unlink(), "has no tokenizer.json"),
    (lambda folder: (folder / WEIGHTS).unlink(), "has no weights.bin"),
    (lambda folder: (folder / SINGLE).unlink(), "has no single.onnx"),
    (lambda folder: one_bit(folder / SINGLE), "single.onnx .* is not the file that was exported"),
    (other_single, "single.onnx takes weights from other files"),
    (
        lambda folder: cut_short(folder / GRAPH),
        r"model.onnx \(\d+ bytes\) is not the file that was exported",
    ),
    (lambda folder: one_bit(folder / GRAPH), "model.onnx .* is not the file that was exported"),
    (lambda folder: cut_short(folder / WEIGHTS), r"weights.bin \(\d+ bytes\) is not the file"),
    (lambda folder: one_bit(folder / WEIGHTS), "weights.bin .* is not the file that was exported"),
    (other_tokenizer, "tokenizer.json .* is not the file that was exported"),
    (edited_info, "changed after the export"),
    (lambda folder: (folder / INFO).write_text('{"format": '), "does not describe"),
    (lambda folder: (folder / INFO).write_text("[" * 100_000), "does not describe"),
    (lambda folder: (folder / INFO).write_text("{}"), "its format is not"),
    (later_format, "format version 3, this release reads 2"),
    (lambda folder: rewrite(folder, dtype="float64"), "dtype 'float64'"),
    (lambda folder: rewrite(folder, max_length="256"), "max_length is '256'"),
    (lambda folder: rewrite(folder, dim=33), "vectors of 33 numbers"),
    (lambda folder: put_graph(folder, b"no graph at all"), "is no ONNX graph"),
    (lambda folder: put_graph(folder, b""), "is no ONNX graph"),
    (later_opset, "ONNX Runtime cannot load it.*999"),
    (weights_outside, "takes weights from other files"),
    (second_name, "model.onnx takes weights from other files than weights.bin"),
    (other_output, "ONNX Runtime cannot load it|not ids and lengths"),
]


@pytest.mark.parametrize(("damage", "message"), BROKEN, ids=[m for _, m in BROKEN])
def test_a_broken_folder_is_one_clear_error(copied_export, capfd, damage, message):
    damage(copied_export)
    with pytest.raises(BaseModelError, match=message) as caught:
        Embedder(str(copied_export)).encode(["one", "two"])
    assert str(copied_export) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"adapter": "multi-domain-cache-lora-L6"}, "whose adapter is merged"),
        ({"device": "cuda"}, "device is 'cuda'"),
        ({"dtype": "bfloat16"}, "dtype is 'bfloat16'"),
        ({"engine": "packed"}, "engine is 'packed'"),
    ],
    ids=str,
)
def test_options_that_an_export_cannot_follow(small_export, options, message):
    with pytest.raises(InputError, match=message):
        Embedder(str(small_export), **options)


def test_the_engine_alone_names_the_command(small_base):
    with pytest.raises(InputError, match="semantic-router-lora export --engine onnx"):
        Embedder(str(small_base), engine="onnx")
    with pytest.raises(InputError, match="export --engine onnx"):
        LoRAHuggingFaceEncoder(engine="onnx")


def test_a_missing_runtime_names_the_extra(small_export, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"semantic-router-lora\[onnx\]"):
        Embedder(str(small_export))
