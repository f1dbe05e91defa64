"""Embedders over one base, while the files of base and adapters change on the disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from semantic_router_lora import Embedder, shared_base
from semantic_router_lora.adapters.resolve import resolve_adapter
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.errors import BaseModelError, InputError

LAW, MEDICAL = "law-cache-lora-L6", "medical-cache-lora-L6"
TEXTS = ["a lease", "first signs of shingles"]


@pytest.fixture
def copied_base(base_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base_folder, tmp_path / "base"))


def test_the_base_is_the_loaded_one_though_its_files_change(copied_base, make_adapter):
    plain = str(make_adapter())  # without a tokenizer of its own
    loaded = Embedder(str(copied_base))
    before = [loaded.with_adapter(name).fingerprint for name in (None, LAW, plain)]
    weights = copied_base / "model.safetensors"
    tensors = {key: 1.1 * value for key, value in load_file(weights).items() if "Norm" in key}
    save_file(load_file(weights) | tensors, weights, metadata={"format": "pt"})
    config = json.loads((copied_base / "config.json").read_text())
    (copied_base / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 1e-3}))
    tokenizer = copied_base / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace('"lowercase":true', '"lowercase":false'))
    assert [loaded.with_adapter(name).fingerprint for name in (None, LAW, plain)] == before
    assert Embedder(str(copied_base)).fingerprint != before[0]
    shutil.rmtree(copied_base)
    assert [loaded.with_adapter(name).fingerprint for name in (None, LAW, plain)] == before
    expected = Embedder(DEFAULT_BASE).encode(TEXTS)
    np.testing.assert_allclose(loaded.encode(TEXTS, adapters=[None, None]), expected, atol=1e-5)


@pytest.mark.parametrize("gone", [True, False])
def test_a_base_whose_tokenizer_was_not_read_in_time(copied_base, gone):
    late, early = (Embedder(str(copied_base), LAW) for _ in range(2))
    expected = early.with_adapter(None).fingerprint
    if gone:
        shutil.rmtree(copied_base)
    else:
        tokenizer = copied_base / "tokenizer.json"
        tokenizer.write_text(tokenizer.read_text().replace('"lowercase":true', '"lowercase":false'))
    with pytest.raises(BaseModelError, match="changed or went since it was loaded"):
        late.with_adapter(None)
    assert late.with_adapter(MEDICAL).fingerprint == early.with_adapter(MEDICAL).fingerprint
    assert early.with_adapter(None).fingerprint == expected


def test_an_adapter_that_is_replaced_is_read_again(law_folder):
    shared = Embedder(DEFAULT_BASE)
    names = [str(law_folder)] * 2
    first = shared.encode(TEXTS, adapters=names)
    assert shared.encode(TEXTS, adapters=names).tobytes() == first.tobytes()
    assert shared._shared.kept.cache_info().misses == 1
    shutil.rmtree(law_folder)
    shutil.copytree(resolve_adapter(MEDICAL).folder, law_folder)  # with the times of its files
    expected = shared.encode(TEXTS, adapters=[MEDICAL] * 2)
    assert shared.encode(TEXTS, adapters=names).tobytes() == expected.tobytes()
    assert np.abs(expected - first).max() > 1e-3


def test_only_the_adapters_used_last_are_kept(monkeypatch):
    monkeypatch.setattr(shared_base, "_MOST_KEPT", 1)
    shared = Embedder(DEFAULT_BASE)
    mixed = shared.encode(TEXTS, adapters=[LAW, MEDICAL])
    for row, name in enumerate((LAW, MEDICAL)):
        alone = shared.encode(TEXTS[row : row + 1], adapters=[name])
        np.testing.assert_allclose(alone[0], mixed[row], atol=1e-5)
    assert shared._shared.kept.cache_info().currsize == 1


@pytest.mark.parametrize(
    ("adapters", "message"),
    [
        ("ab", "adapters is 'ab', expected a list"),
        (5, "adapters is 5, expected a list"),
        ([None, 5], "got int at position 1"),
        ([[LAW], None], "got list at position 0"),
        ([None], "got 2 texts and 1 adapters"),
    ],
)
def test_what_is_no_list_of_adapters(adapters, message):
    with pytest.raises(InputError, match=message):
        Embedder(DEFAULT_BASE).encode(["a", "b"], adapters=adapters)


def test_progress_is_drawn_with_a_cache_and_with_adapters(capfd):
    kept = Embedder(DEFAULT_BASE, cache_size=10)
    for options in ({}, {"adapters": [None, LAW]}):
        kept.encode(TEXTS, show_progress=True, **options)
        assert "2/2" in capfd.readouterr().err
