"""What docs/security.md says and no other test holds."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from semantic_router_lora import Embedder
from semantic_router_lora.adapters import layout
from semantic_router_lora.export.merged import merge_model


@pytest.mark.parametrize("dora", [False, True], ids=["merged here", "merged by peft"])
def test_no_setting_of_an_adapter_imports_a_module(make_adapter, tmp_path, monkeypatch, dora):
    (tmp_path / "payload.py").write_text("class Payload: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    folder = make_adapter(tmp_path / "adapter", use_dora=dora)
    config = json.loads((folder / layout.CONFIG).read_text())
    config["auto_mapping"] = {"base_model_class": "Payload", "parent_library": "payload"}
    config["megatron_core"] = "payload"
    (folder / layout.CONFIG).write_text(json.dumps(config))
    Embedder(adapter=str(folder)).encode(["text"])
    assert "payload" not in sys.modules


def test_a_merged_folder_brings_no_code_along(make_adapter, base_folder, tmp_path):
    base = Path(shutil.copytree(base_folder, tmp_path / "base"))
    (base / "payload.py").write_text("raise SystemExit\n")
    for name in ("config.json", layout.TOKENIZER_CONFIG):
        content = json.loads((base / name).read_text())
        content["auto_map"] = {"AutoModel": "payload.M", "AutoTokenizer": ["payload.T", None]}
        (base / name).write_text(json.dumps(content))
    adapter = make_adapter(tmp_path / "adapter", base=base_folder)
    folder = tmp_path / "merged"
    merge_model(f"{base}+lora:{adapter}", folder)
    assert not list(folder.rglob("*.py"))
    assert not any("auto_map" in path.read_text() for path in folder.glob("*.json"))


def test_a_fingerprint_is_64_bits(base_folder):
    """Too few against someone who makes two adapters with one fingerprint: the page says so."""
    assert len(bytes.fromhex(Embedder(str(base_folder)).fingerprint)) * 8 == 64
