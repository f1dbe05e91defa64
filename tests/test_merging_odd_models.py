"""Bases and adapters out of the ordinary: merged, they give the vectors they gave before."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from merged_models import TEXTS, by_transformers, edit_json, vectors_by
from safetensors.torch import load_file, save_file
from transformers import AutoModel, RobertaConfig

from semantic_router_lora import Embedder
from semantic_router_lora.adapters import layout
from semantic_router_lora.export.merged import merge_model


def make_cased(folder: Path, source: Path) -> None:
    content = json.loads((source / layout.TOKENIZER).read_text())
    content["normalizer"]["lowercase"] = False
    (folder / layout.TOKENIZER).write_text(json.dumps(content))
    edit_json(folder / layout.TOKENIZER_CONFIG, do_lower_case=False)


def check(base: Path, adapter: Path, **expected: Any) -> Path:
    """Merge, and compare with the embedder what transformers alone makes of it."""
    folder = adapter.parent / "merged"
    merged = merge_model(f"{base}+lora:{adapter}", folder)
    source = Embedder(str(base), str(adapter))
    again = Embedder(str(folder))
    assert (merged.fingerprint, merged.merged_fingerprint) == (
        source.fingerprint,
        again.fingerprint,
    )
    assert (again.max_seq_length, again.pooling) == (source.max_seq_length, source.pooling)
    np.testing.assert_allclose(again.encode(TEXTS), source.encode(TEXTS), atol=1e-5)
    if merged.obstacle is None:
        found = vectors_by("HuggingFaceEncoder", folder)
    elif source.pooling != "mean":
        found = by_transformers(folder, source.pooling)
    else:
        found = source.encode(TEXTS)
    np.testing.assert_allclose(found, source.encode(TEXTS), atol=1e-5)
    for key, value in expected.items():
        assert value in str(getattr(merged, key))
    return folder


@pytest.mark.parametrize("pooling", ["cls", "max"])
def test_other_pooling_is_kept_and_told(base, adapter, pooling):
    flags = {"pooling_mode_mean_tokens": False, f"pooling_mode_{pooling}_tokens": True}
    if pooling == "cls":
        flags = {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
    edit_json(base / "1_Pooling" / "config.json", **flags)
    folder = check(base, adapter, obstacle=f"pools by {pooling}")
    assert "LocalEncoder" in (folder / "README.md").read_text()
    found = vectors_by("SentenceTransformer", folder)
    np.testing.assert_allclose(found, Embedder(str(folder)).encode(TEXTS), atol=1e-5)


def test_a_base_of_plain_transformers(base, adapter):
    """It has no modules.json, and its own weights in half precision."""
    shutil.rmtree(base / "1_Pooling")
    for name in ("modules.json", "sentence_bert_config.json"):
        (base / name).unlink()
    tensors = load_file(base / "model.safetensors")
    half = {k: v.half() for k, v in tensors.items() if "pooler" not in k}
    save_file(half, base / "model.safetensors", metadata={"format": "pt"})
    edit_json(base / "config.json", torch_dtype="float16", auto_map={"AutoModel": "evil.Evil"})
    folder = check(base, adapter, obstacle="None")
    written = load_file(folder / "model.safetensors")
    assert written.keys() == half.keys()  # no pooler of random numbers
    assert {tensor.dtype for tensor in written.values()} == {torch.float32}
    assert "auto_map" not in json.loads((folder / "config.json").read_text())


def test_lower_case_before_a_cased_tokenizer(base, adapter):
    for part in (base, adapter):
        make_cased(part, base)
    edit_json(base / "sentence_bert_config.json", do_lower_case=True)
    folder = check(base, adapter, obstacle="does not lower-case")
    pytest.importorskip("sentence_transformers")
    found = vectors_by("SentenceTransformer", folder)
    # Its releases do not agree on whether "[SEP]" is lower-cased too.
    np.testing.assert_allclose(found[:-1], Embedder(str(folder)).encode(TEXTS[:-1]), atol=1e-5)


def test_the_adapters_own_tokenizer_goes_along(base, adapter):
    make_cased(adapter, base)
    other = Embedder(str(base), str(adapter)).encode(["Upper"])
    assert np.abs(other - Embedder(str(base), str(adapter)).encode(["upper"])).max() > 1e-3
    folder = check(base, adapter, obstacle="None")
    assert not (folder / "vocab.txt").exists()


def test_its_settings_do_not_matter(base, adapter):
    """The embedder takes the adapter's tokenizer.json as it is; transformers would not."""
    make_cased(adapter, base)
    edit_json(
        adapter / layout.TOKENIZER_CONFIG, do_lower_case=True, tokenizer_class="BertTokenizer"
    )
    check(base, adapter, obstacle="None")


def test_an_adapter_that_only_peft_can_merge(base, make_adapter, tmp_path):
    adapter = make_adapter(tmp_path / "dora", base=base, use_dora=True)
    check(base, adapter, obstacle="None")


def test_another_architecture(base_folder, make_adapter, tmp_path):
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = RobertaConfig(
        vocab_size=30522,
        intermediate_size=32,
        max_position_embeddings=66,
        pad_token_id=0,
        **sizes,
    )
    AutoModel.from_config(config).save_pretrained(tmp_path / "base")
    for name in (layout.TOKENIZER, layout.TOKENIZER_CONFIG):
        shutil.copy(base_folder / name, tmp_path / "base" / name)
    adapter = make_adapter(tmp_path / "adapter", base=tmp_path / "base")
    folder = check(tmp_path / "base", adapter, obstacle="None")
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["RobertaModel"]
    assert Embedder(str(folder)).max_seq_length == 65
