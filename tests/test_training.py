"""Recipes, and two steps of real training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from semantic_router_lora import Embedder
from semantic_router_lora.adapters import layout
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.benchmark.suite import bundled_file
from semantic_router_lora.errors import AdapterMismatchError, DataError, MissingExtraError
from semantic_router_lora.training.recipe import load_recipe

RECIPE = """
name: tiny
train: [rows.jsonl]
batch_size: 16
learning_rate: 0.001
max_seq_length: 32
"""


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    (tmp_path / "rows.jsonl").write_text(bundled_file("law", "dev").read_text())
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return path


def test_recipe_defaults_are_the_documented_ones(recipe_file):
    recipe = load_recipe(recipe_file)
    assert (recipe.r, recipe.lora_alpha, recipe.target_modules) == (8, 16, ("query", "value"))
    assert (recipe.scale, recipe.epochs, recipe.base) == (20.0, 1.0, DEFAULT_BASE)
    assert recipe.train == (str(recipe_file.parent / "rows.jsonl"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "expected a mapping"),
        ("a: [", "cannot be read"),
        ("train: [a]\n", "'name'.*missing"),
        (RECIPE + "learnig_rate: 1\n", r"unknown keys \['learnig_rate'\]"),
        (RECIPE + "r: '8'\n", "r is '8', expected int"),
        (RECIPE + "r: true\n", "r is True, expected int"),
        (RECIPE + "r: 0\n", "r is 0, expected more than 0"),
        (RECIPE + "target_modules: query\n", "expected a list of texts"),
        ("name: x\ntrain: []\n", "train names no file"),
    ],
)
def test_bad_recipes(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        load_recipe(path)


def test_bundled_recipes_load():
    for path in (Path(__file__).parents[1] / "training" / "recipes").glob("*.yaml"):
        load_recipe(path)


def test_training_writes_a_proven_adapter_and_repeats_itself(recipe_file, tmp_path):
    trainer = pytest.importorskip("semantic_router_lora.training.trainer")
    pytest.importorskip("sentence_transformers")
    recipe = load_recipe(recipe_file)
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        assert "equal to the trainer's" in trainer.train(recipe, folder)
    first, second = folders
    assert (first / layout.WEIGHTS).read_bytes() == (second / layout.WEIGHTS).read_bytes()
    assert (first / layout.WEIGHTS).stat().st_size < 310_000
    info = json.loads((first / layout.TRAINING_INFO).read_text())
    assert info["trainable_parameters"] == 73_728
    assert info["steps"] == 4
    assert info["data"]["domains"] == {"law": 60}
    assert info["recipe"]["train"] == ["rows.jsonl"]
    assert json.loads((first / layout.TRAINING_HISTORY).read_text())
    config = json.loads((first / layout.CONFIG).read_text())
    assert config["base_model_name_or_path"] == DEFAULT_BASE

    with pytest.raises(DataError, match="exists and is not empty"):
        trainer.train(recipe, first)

    # and plain peft reads it to the same vectors
    from peft import PeftModel
    from sentence_transformers import SentenceTransformer

    from semantic_router_lora.base_models import resolve_base

    model = SentenceTransformer(str(resolve_base(DEFAULT_BASE).folder), device="cpu")
    model[0].model = PeftModel.from_pretrained(model[0].model, str(first))
    texts = ["a question of law", "another one"]
    np.testing.assert_allclose(
        Embedder(adapter=str(first)).encode(texts),
        model.encode(texts, normalize_embeddings=True),
        atol=1e-6,
    )


def test_interpolation_keeps_a_share_of_the_update(recipe_file, tmp_path):
    from dataclasses import replace

    trainer = pytest.importorskip("semantic_router_lora.training.trainer")
    pytest.importorskip("sentence_transformers")
    whole = load_recipe(recipe_file)
    half = replace(whole, interpolation=0.5)
    for recipe, name in ((whole, "whole"), (half, "half")):
        assert "equal to the trainer's" in trainer.train(recipe, tmp_path / name)
    weights = [(tmp_path / name / layout.WEIGHTS).read_bytes() for name in ("whole", "half")]
    assert weights[0] == weights[1]
    config = json.loads((tmp_path / "half" / layout.CONFIG).read_text())
    assert config["lora_alpha"] == whole.lora_alpha / 2


def test_verification_notices_other_weights(adapter_folder):
    from semantic_router_lora.training.verify import PROBES, verify_adapter

    vectors = Embedder(adapter=str(adapter_folder)).encode(list(PROBES))
    assert "equal to the trainer's" in verify_adapter(adapter_folder, vectors)
    with pytest.raises(AdapterMismatchError, match="is not what was trained"):
        verify_adapter(adapter_folder, vectors + 0.01)
    with pytest.raises(AdapterMismatchError, match="does not load again"):
        verify_adapter(adapter_folder / "nowhere", vectors)


def test_a_missing_extra_names_the_pip_command(recipe_file, monkeypatch, tmp_path):
    import sys

    from semantic_router_lora.training.trainer import train

    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'semantic-router-lora\[train\]'"):
        train(load_recipe(recipe_file), tmp_path / "out")


@pytest.fixture(scope="module")
def sentence_model(base_folder):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    return sentence_transformers.SentenceTransformer(str(base_folder), device="cpu").eval()


ROWS = [
    ("undo a commit", "revert my latest commit, how", "undo a merge"),
    ("signs of shingles", "how does shingles begin", "how long is shingles contagious"),
    ("notice after 2 years", "I rented for two years, what notice", "notice after 12 years"),
]


def loss_of(model, labels: list[int], columns: int = 3, **settings: float):
    import torch

    from semantic_router_lora.training.loss import CacheLoss

    features = [model.preprocess([row[column] for row in ROWS]) for column in range(columns)]
    loss = CacheLoss(
        model,
        **({"scale": 20.0, "contrastive_weight": 0.0, "negative_margin": 0.5} | settings),
    )
    with torch.no_grad():
        return float(loss(features, torch.tensor(labels)))


def vectors_of(model):
    return [
        model.encode([row[column] for row in ROWS], normalize_embeddings=True)
        for column in range(3)
    ]


@pytest.mark.parametrize("columns", [2, 3])
def test_ranking_loss_is_that_of_sentence_transformers(sentence_model, columns):
    import torch
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    theirs = MultipleNegativesRankingLoss(sentence_model, scale=20.0)
    features = [
        sentence_model.preprocess([row[column] for row in ROWS]) for column in range(columns)
    ]
    with torch.no_grad():
        expected = float(theirs(features, torch.zeros(3)))
    assert loss_of(sentence_model, [0, 1, 2], columns) == pytest.approx(expected, abs=1e-5)


def test_contrastive_term_by_hand(sentence_model):
    anchor, positive, negative = vectors_of(sentence_model)
    close = np.maximum(0, (anchor * negative).sum(1) - 0.3) ** 2
    expected = (((1 - (anchor * positive).sum(1)) ** 2) + close).mean()
    plain = loss_of(sentence_model, [0, 1, 2])
    both = loss_of(sentence_model, [0, 1, 2], contrastive_weight=5.0, negative_margin=0.3)
    assert both - plain == pytest.approx(5 * expected, abs=1e-5)


def test_distillation_is_the_change_of_cosines_between_triplets(base_folder, sentence_model):
    import torch
    from peft import LoraConfig
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(base_folder), device="cpu")
    model.add_adapter(LoraConfig(r=4, target_modules=["query", "value"]))
    generator = torch.Generator().manual_seed(0)
    assert loss_of(model.eval(), [0, 1, 2], distillation_weight=1.0) == pytest.approx(
        loss_of(model, [0, 1, 2]), abs=1e-6
    )  # a new adapter changes nothing yet
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.05, generator=generator)
    before = [rows.astype(np.float64) for rows in vectors_of(sentence_model)[:2]]
    after = [rows.astype(np.float64) for rows in vectors_of(model)[:2]]
    others = ~np.eye(3, dtype=bool)
    expected = sum(
        ((after[0] @ new.T - before[0] @ old.T) ** 2)[others].mean()
        for new, old in zip(after, before, strict=True)
    )
    plain = loss_of(model, [0, 1, 2])
    assert expected > 1e-4
    both = loss_of(model, [0, 1, 2], distillation_weight=7.0)
    assert both - plain == pytest.approx(7 * expected, rel=1e-3)
    assert loss_of(model, [0, 1, 2]) == pytest.approx(plain)  # the adapter is on again


def test_texts_of_the_own_group_are_no_negatives(sentence_model):
    anchor, positive, negative = vectors_of(sentence_model)
    cosines = 20 * np.concatenate([anchor @ positive.T, anchor @ negative.T], axis=1)
    cosines[0, [1, 4]] = cosines[1, [0, 3]] = -np.inf  # rows 0 and 1 are one group
    expected = np.mean([np.log(np.exp(cosines[row]).sum()) - cosines[row, row] for row in range(3)])
    assert loss_of(sentence_model, [7, 7, 2]) == pytest.approx(expected, abs=1e-4)


def test_chunks_change_nothing(sentence_model, monkeypatch):
    from semantic_router_lora.training import loss

    whole = loss_of(sentence_model, [0, 1, 2], contrastive_weight=1.0)
    monkeypatch.setattr(loss, "_CHUNK", 2)
    chunked = loss_of(sentence_model, [0, 1, 2], contrastive_weight=1.0)
    assert chunked == pytest.approx(whole, abs=1e-5)


def test_groups_are_numbered_by_domain():
    from semantic_router_lora.data.triplets import Triplet
    from semantic_router_lora.training.trainer import _group_numbers

    def row(domain: str | None, group: str | None) -> Triplet:
        return Triplet("a", "b", "c", domain=domain, group=group)

    rows = [row("law", "x"), row("law", "x"), row("medical", "x"), row(None, None), row(None, None)]
    numbers = _group_numbers(rows)
    assert numbers[0] == numbers[1]
    assert len(set(numbers)) == 4
