"""Training runs: from data to a proven adapter, or to one error."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_training import random_base

from semantic_router_lora import Embedder
from semantic_router_lora.adapters import layout
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.engines import processor
from semantic_router_lora.errors import AdapterMismatchError, DataError, MissingExtraError
from semantic_router_lora.training.run import train

pytest.importorskip("sentence_transformers")


def test_a_row_that_comes_twice_an_epoch_counts_once(recipe, tiny_base, tmp_path):
    (file,) = recipe.train
    recipe = replace(recipe, train=(replace(file, repeat=2),), epochs=1.0, checkpoint_steps=0)
    train(recipe, tmp_path / "adapter", base_folder=tiny_base)
    info = json.loads((tmp_path / "adapter" / layout.TRAINING_INFO).read_text())
    assert info["data"]["rows"] == info["data"]["domains"]["law"] == 60
    assert info["steps"] == 2 * 60 / recipe.batch_size


def test_training_writes_a_proven_adapter(recipe, tmp_path):
    recipe = replace(recipe, epochs=1.0, checkpoint_steps=0, batch_size=20, learning_rate=0.001)
    folder = tmp_path / "adapter"
    assert "equal to the trainer's" in train(recipe, folder)
    assert {path.name for path in folder.iterdir()} == {
        *layout.FILES,
        layout.TRAINING_PLOT,
    } - {layout.CARD, layout.EVALUATION}
    assert (folder / layout.WEIGHTS).stat().st_size < 310_000
    info = json.loads((folder / layout.TRAINING_INFO).read_text())
    assert info["trainable_parameters"] == 73_728
    assert info["steps"] == info["best_step"] == 3
    assert info["data"]["domains"] == {"law": 60}
    assert info["data"]["unused_rows_per_epoch"] == 0
    assert set(info["data"]["sha256"]) == {"law.jsonl", "psychology.dev.jsonl"}
    assert info["recipe"]["train"] == [{"file": "law.jsonl", "limit": None, "repeat": 1}]
    assert str(tmp_path) not in json.dumps(info)
    assert (folder / layout.TRAINING_PLOT).read_bytes().startswith(b"\x89PNG")
    config = json.loads((folder / layout.CONFIG).read_text())
    assert config["base_model_name_or_path"] == DEFAULT_BASE

    with pytest.raises(DataError, match="exists and is not empty"):
        train(recipe, folder)

    # and plain peft reads it to the same vectors
    from peft import PeftModel
    from sentence_transformers import SentenceTransformer

    from semantic_router_lora.base_models import resolve_base

    model = SentenceTransformer(str(resolve_base(DEFAULT_BASE).folder), device="cpu")
    model[0].model = PeftModel.from_pretrained(model[0].model, str(folder))
    texts = ["a question of law", "another one"]
    np.testing.assert_allclose(
        Embedder(adapter=str(folder)).encode(texts),
        model.encode(texts, normalize_embeddings=True),
        atol=1e-6,
    )


def test_the_checkpoint_that_is_best_on_dev_is_kept(recipe, tiny_base, tmp_path, monkeypatch):
    """Whatever the figures on dev are, the weights are those of the best of them."""
    monkeypatch.setattr(processor, "bfloat16_is_fast", lambda: False)  # the best would be the last
    recipe = replace(recipe, learning_rate=0.3, lora_dropout=0.0)  # so high that it gets worse
    output = tmp_path / "best"
    train(recipe, output, base_folder=tiny_base)
    history = json.loads((output / layout.TRAINING_HISTORY).read_text())
    scores = {r["step"]: r["eval_average_precision"] for r in history if "eval_margin" in r}
    info = json.loads((output / layout.TRAINING_INFO).read_text())
    assert scores[info["best_step"]] == max(scores.values())
    assert info["best_step"] < info["steps"]

    from semantic_router_lora.benchmark.metrics import CURVE_METRICS, curve
    from semantic_router_lora.benchmark.similarities import similarities_of
    from semantic_router_lora.benchmark.suite import load_suites

    (suite,) = load_suites([recipe.dev[0]])
    embedder = Embedder(str(tiny_base), str(output))
    counts = curve(similarities_of(embedder, [suite])[0], np.ones((1, len(suite.triplets))))
    measured = CURVE_METRICS["average_precision"](counts)[0]
    assert measured == pytest.approx(max(scores.values()), abs=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("stored", ["bfloat16", "float32"])
def test_half_precision_ends_in_a_proven_adapter(
    recipe, tiny_base, base_folder, tmp_path, monkeypatch, stored
):
    """A base that is stored so, and a run that is computed so."""
    from transformers import AutoModel

    from semantic_router_lora.training import model, trainer

    base = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    AutoModel.from_pretrained(tiny_base).to(getattr(torch, stored)).save_pretrained(base)
    for module in (model, trainer):
        monkeypatch.setattr(module, "has_fast_bf16", lambda: stored == "float32")
    recipe = replace(recipe, epochs=1.0, distillation_weight=1.0)
    assert "equal to the trainer's" in train(recipe, tmp_path / "out", base_folder=base)
    info = json.loads((tmp_path / "out" / layout.TRAINING_INFO).read_text())
    assert info["hardware"]["bf16"] == (stored == "float32")


def test_a_run_that_diverges_ends_with_one_error(recipe, tiny_base, tmp_path):
    with pytest.raises(DataError, match=r"the loss is (nan|inf) after step \d+: lower"):
        train(replace(recipe, learning_rate=1e30), tmp_path / "x", base_folder=tiny_base)


def test_where_an_adapter_cannot_lie(tmp_path):
    from semantic_router_lora.training.checkpoints import UnfinishedRun

    with pytest.raises(DataError, match="is no folder to create"):
        UnfinishedRun(Path("/"), {})
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="exists and is not empty"):
        UnfinishedRun(tmp_path / "file", {})
    with pytest.raises(DataError, match="cannot be written"):
        late = UnfinishedRun(tmp_path / "file2" / "x", {})
        (tmp_path / "file2").touch()
        late.start(resume=False)
    (tmp_path / "empty").mkdir()
    late = UnfinishedRun(tmp_path / "empty", {})
    late.start(resume=False)
    (tmp_path / "empty" / "came meanwhile").touch()
    with pytest.raises(DataError, match="is proven and lies in"):
        late.finish()
    (tmp_path / "empty" / "came meanwhile").unlink()
    late.finish()
    assert not any((tmp_path / "empty").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["cosent", "online_contrastive"])
def test_losses_of_sentence_transformers(recipe, tiny_base, tmp_path, loss):
    recipe = replace(recipe, loss=loss, contrastive_weight=0.0, epochs=1.0)
    assert "equal to the trainer's" in train(recipe, tmp_path / loss, base_folder=tiny_base)
    info = json.loads((tmp_path / loss / layout.TRAINING_INFO).read_text())
    assert info["steps"] == 10  # two pairs of each of 60 triplets, twelve at a time


def architectures() -> dict[str, tuple[Any, set[str]]]:
    from transformers import DistilBertConfig, ModernBertConfig, MPNetConfig

    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    return {
        "mpnet": (MPNetConfig(intermediate_size=64, **small), {"q", "v"}),
        "distilbert": (DistilBertConfig(dim=32, n_layers=2, n_heads=2), {"q_lin", "v_lin"}),
        "modernbert": (
            ModernBertConfig(vocab_size=30522, intermediate_size=64, pad_token_id=0, **small),
            {"Wqkv"},
        ),
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mpnet", "distilbert", "modernbert"])
def test_other_architectures_by_naming_the_base(recipe, base_folder, tmp_path, kind):
    config, targets = architectures()[kind]
    base = random_base(config, base_folder, tmp_path / "base")
    recipe = replace(recipe, base=str(base), epochs=1.0)
    assert "equal to the trainer's" in train(recipe, tmp_path / kind)
    written = json.loads((tmp_path / kind / layout.CONFIG).read_text())
    assert set(written["target_modules"]) == targets


def test_verification_notices_other_weights(adapter_folder, base_folder):
    from semantic_router_lora.training.verify import PROBES, verify_adapter

    vectors = Embedder(adapter=str(adapter_folder)).encode(list(PROBES))
    assert "equal to the trainer's" in verify_adapter(adapter_folder, vectors, base_folder)
    with pytest.raises(AdapterMismatchError, match="is not what was trained"):
        verify_adapter(adapter_folder, vectors + 0.01, base_folder)
    with pytest.raises(AdapterMismatchError, match="does not load again"):
        verify_adapter(adapter_folder / "nowhere", vectors, base_folder)


def test_a_missing_extra_names_the_pip_command(recipe, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'semantic-router-lora\[train\]'"):
        train(recipe, tmp_path / "out")
