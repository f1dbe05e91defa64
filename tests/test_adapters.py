"""Adapters of others, and the bundled ones: the vectors that peft gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from copied_adapters import TEXTS, edit_weights
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from semantic_router_lora import Embedder
from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.resolve import bundled_adapters, resolve_adapter
from semantic_router_lora.base_models import DEFAULT_BASE

ALL_LINEAR = ["query", "key", "value", "dense"]


def peft_vectors(base: Path, adapter: Path, max_length: int = 256) -> np.ndarray:
    """What plain peft gives, unmerged, one text at a time."""
    from peft import PeftModel

    model = PeftModel.from_pretrained(
        AutoModel.from_pretrained(base, dtype=torch.float32), str(adapter)
    ).eval()
    tokenizer = AutoTokenizer.from_pretrained(base)
    rows = []
    for text in TEXTS:
        inputs = tokenizer(text, truncation=True, max_length=max_length, return_tensors="pt")
        inputs.pop("token_type_ids", None)
        with torch.no_grad():
            rows.append(model(**inputs)[0][0].mean(dim=0))
    return torch.nn.functional.normalize(torch.stack(rows), dim=1).numpy()


@pytest.mark.parametrize(
    "settings",
    [
        {"use_rslora": True},
        {"rank_pattern": {"layer.0.attention.self.query": 4}, "alpha_pattern": {"value": 40}},
        {"bias": "all"},
        {"bias": "lora_only"},
        {"lora_bias": True},
        {"use_dora": True},
        {"target_modules": ALL_LINEAR, "r": 4},
        {"target_modules": "all-linear", "r": 2},
        {"target_modules": r".*layer\.[0-2]\..*query"},
        {"layers_to_transform": [1, 3]},
        {"modules_to_save": ["pooler"]},
        {"exclude_modules": ["value"]},
        {"lora_alpha": 32, "init_lora_weights": "gaussian"},
    ],
    ids=str,
)
def test_any_lora_of_peft_gives_pefts_vectors(make_adapter, base_folder, settings):
    folder = make_adapter(**settings)
    ours = Embedder(DEFAULT_BASE, str(folder)).encode(TEXTS)
    np.testing.assert_allclose(ours, peft_vectors(base_folder, folder), atol=2e-6)
    assert np.abs(ours - Embedder(DEFAULT_BASE).encode(TEXTS)).max() > 1e-3


def test_half_precision_weights(copied_adapter, base_folder):
    edit_weights(copied_adapter, lambda _, tensor: tensor.half())
    ours = Embedder(DEFAULT_BASE, str(copied_adapter)).encode(TEXTS)
    np.testing.assert_allclose(ours, peft_vectors(base_folder, copied_adapter), atol=2e-6)


def test_a_tokenizer_of_its_own_is_used(copied_adapter, base_folder):
    from tokenizers import Tokenizer, normalizers

    plain = Embedder(DEFAULT_BASE, str(copied_adapter))
    tokenizer = Tokenizer.from_file(str(base_folder / layout.TOKENIZER))
    tokenizer.save(str(copied_adapter / layout.TOKENIZER))
    same = Embedder(DEFAULT_BASE, str(copied_adapter))
    np.testing.assert_allclose(same.encode(TEXTS), plain.encode(TEXTS), atol=1e-6)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace("diabetes", "asthma"), tokenizer.normalizer]
    )
    tokenizer.save(str(copied_adapter / layout.TOKENIZER))
    own = Embedder(DEFAULT_BASE, str(copied_adapter))
    assert own.fingerprint != same.fingerprint
    np.testing.assert_allclose(
        own.encode(["symptoms of diabetes"]), plain.encode(["symptoms of asthma"]), atol=1e-6
    )


def test_twelve_layers(make_adapter, twelve_layers):
    folder = make_adapter(base=twelve_layers, lora_alpha=32)
    assert sum(t.numel() for t in load_file(folder / layout.WEIGHTS).values()) == 147_456
    embedder = Embedder(adapter=str(folder))
    np.testing.assert_allclose(
        embedder.encode(TEXTS), peft_vectors(twelve_layers, folder), atol=2e-6
    )


def test_bundled_adapters_load_and_change_the_base():
    names = bundled_adapters()
    assert "multi-domain-cache-lora-L6" in names
    plain = Embedder(DEFAULT_BASE).encode(TEXTS)
    for name in names:
        folder = resolve_adapter(name).folder
        expected = {*layout.FILES, layout.TRAINING_PLOT}
        assert {path.name for path in folder.iterdir()} == expected
        assert (folder / layout.WEIGHTS).stat().st_size <= 700_000
        embedder = Embedder(adapter=name)
        assert embedder.reference == f"{DEFAULT_BASE}+lora:{name}"
        assert np.abs(embedder.encode(TEXTS) - plain).max() > 1e-3
