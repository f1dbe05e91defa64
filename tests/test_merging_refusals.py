"""Merging: outputs and references that are refused, and models that are not kept."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest
from merged_models import edit_json
from safetensors.torch import load_file, save_file

from semantic_router_lora.adapters import layout
from semantic_router_lora.errors import (
    AdapterError,
    BaseModelError,
    InputError,
    SemanticRouterLoraError,
)
from semantic_router_lora.export import merged as merging
from semantic_router_lora.export.merged import merge_model


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("output", ["filled", "file", "none/deep", "link"])
def test_outputs_that_are_refused(base, adapter, tmp_path, output):
    (tmp_path / "filled").mkdir()
    (tmp_path / "filled" / "mine").write_text("x")
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "filled")
    before = left(tmp_path)
    with pytest.raises(InputError, match="output"):
        merge_model(f"{base}+lora:{adapter}", tmp_path / output)
    assert left(tmp_path) == before and left(tmp_path / "filled") == ["mine"]


def test_an_empty_folder_is_taken_but_not_one_that_fills_meanwhile(
    base, adapter, tmp_path, monkeypatch
):
    folder = tmp_path / "empty"
    folder.mkdir()
    merge_model(f"{base}+lora:{adapter}", folder)
    assert "model.safetensors" in left(folder)
    taken = tmp_path / "taken"
    taken.mkdir()
    write = merging.write_card

    def meanwhile(*args: Any, **kwargs: Any) -> None:
        (taken / "mine").write_text("x")
        write(*args, **kwargs)

    monkeypatch.setattr(merging, "write_card", meanwhile)
    with pytest.raises(InputError, match="not empty"):
        merge_model(f"{base}+lora:{adapter}", taken)
    assert left(taken) == ["mine"]
    assert left(tmp_path) == ["adapter", "base", "empty", "taken"]


@pytest.mark.parametrize("size", [100, 3_000_000])
def test_a_full_disk_leaves_nothing(base, adapter, tmp_path, size):
    before = left(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        with pytest.raises(InputError, match="cannot be written"):
            merge_model(f"{base}+lora:{adapter}", tmp_path / "merged")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left(tmp_path) == before


def test_what_gives_other_vectors_is_not_kept(base, adapter, tmp_path, monkeypatch):
    write = merging.write_weights

    def shifted(folder: Path, *args: Any) -> None:
        write(folder, *args)
        tensors = load_file(folder / "model.safetensors")
        tensors["encoder.layer.1.output.dense.bias"][0] += 0.001
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    monkeypatch.setattr(merging, "write_weights", shifted)
    with pytest.raises(BaseModelError, match="other vectors"):
        merge_model(f"{base}+lora:{adapter}", tmp_path / "merged")
    assert left(tmp_path) == ["adapter", "base"]


def test_what_only_the_stock_encoder_would_see_is_not_kept(base, adapter, tmp_path, monkeypatch):
    write = merging.write_tokenizer

    def longer(folder: Path, *args: Any, **kwargs: Any) -> None:
        write(folder, *args, **kwargs)
        edit_json(folder / layout.TOKENIZER_CONFIG, model_max_length=512)

    monkeypatch.setattr(merging, "write_tokenizer", longer)
    with pytest.raises(BaseModelError, match="HuggingFaceEncoder"):
        merge_model(f"{base}+lora:{adapter}", tmp_path / "merged")
    assert left(tmp_path) == ["adapter", "base"]


def test_bad_references(base, adapter, tmp_path, twelve_layers):
    output = tmp_path / "merged"
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported" / "export.json").write_text("{}")
    for reference in ("", "no such adapter", str(base), f"{base}+lora:", f"{tmp_path}/exported"):
        with pytest.raises(SemanticRouterLoraError):
            merge_model(reference, output)
    with pytest.raises(AdapterError, match="does not fit"):
        merge_model(f"{twelve_layers}+lora:{adapter}", output)
    tensors = load_file(adapter / layout.WEIGHTS)
    next(iter(tensors.values()))[0] = float("nan")
    save_file(tensors, adapter / layout.WEIGHTS)
    with pytest.raises(AdapterError, match="NaN"):
        merge_model(f"{base}+lora:{adapter}", output)
    assert left(tmp_path) == ["adapter", "base", "exported"]
