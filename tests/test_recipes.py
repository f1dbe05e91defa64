"""Recipes, and the rows that they name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.errors import DataError
from semantic_router_lora.training.examples import read_examples
from semantic_router_lora.training.recipe import Recipe, TrainFile
from semantic_router_lora.training.recipe_file import load_recipe

RECIPE = "name: tiny\ntrain: [rows.jsonl]\n"
RECIPES = Path(__file__).parents[1] / "training" / "recipes"


def test_recipe_defaults_are_the_documented_ones(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    recipe = load_recipe(path)
    assert (recipe.r, recipe.lora_alpha, recipe.target_modules) == (8, 16, "query+value")
    assert (recipe.scale, recipe.epochs, recipe.base) == (20.0, 1.0, DEFAULT_BASE)
    assert recipe.train == (TrainFile(str(tmp_path / "rows.jsonl")),)


def test_paths_start_at_the_recipe_and_its_record_names_files_only(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "name: x\ntrain: [{file: ../a/rows.jsonl, limit: 5, repeat: 2}]\ndev: [d/x.dev.jsonl]\n"
        "target_modules: [query]\nguide_margin: 0\n"
    )
    recipe = load_recipe(path)
    assert recipe.train[0].file == str(tmp_path / "../a/rows.jsonl")
    assert recipe.dev == (str(tmp_path / "d/x.dev.jsonl"),)
    assert (recipe.target_modules, recipe.guide_margin) == (("query",), 0.0)
    record = recipe.to_dict()
    assert record["train"] == [{"file": "rows.jsonl", "limit": 5, "repeat": 2}]
    assert record["dev"] == ["x.dev.jsonl"]
    assert str(tmp_path) not in json.dumps(record)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "expected a mapping"),
        ("a: [", "cannot be read"),
        ("train: [a]\n", "'name'.*missing"),
        (RECIPE + "learnig_rate: 1\n", r"unknown keys \['learnig_rate'\]"),
        (RECIPE + "1: 1\n", r"unknown keys \['1'\]"),
        (RECIPE + "r: '8'\n", "r is '8', expected int"),
        (RECIPE + "r: true\n", "r is True, expected int"),
        (RECIPE + "r: 0\n", "r is 0, expected more than 0"),
        (RECIPE + "scale: .nan\n", "scale is nan, expected a finite number"),
        (RECIPE + "epochs: .inf\n", "epochs is inf, expected a finite number"),
        (RECIPE + "learning_rate: 1e-4\n", r"is '1e-4', a text in YAML.*: write 1\.0e-4"),
        (RECIPE + "scale: 2.5e1\n", r"write 2\.5e\+1"),
        pytest.param(RECIPE + f"scale: 1{'0' * 400}\n", "scale has 401 digits", id="digits"),
        pytest.param("[" * 10_000, "nested too deeply", id="nested"),
        (RECIPE + "domain_exponent: 400\n", "domain_exponent is 400.0, expected at most 10"),
        (RECIPE + "lora_alpha: 1000001\n", "expected at most 1,000,000"),
        (RECIPE + "interpolation: 1.0e-8\n", "expected from 0.01 to 1"),
        (RECIPE + "interpolation: 7\n", "expected from 0.01 to 1"),
        (RECIPE + "weights_dtype: int8\n", "expected one of float32, float16"),
        (RECIPE + "batch_size: 99999999999999999999\n", r"expected less than 2\*\*31"),
        (RECIPE + "batch_size: 1\nhard_negatives: false\n", "nothing to tell a row apart from"),
        (RECIPE + "target_modules: []\n", "target_modules names no layer"),
        (RECIPE + "r: 5000\n", "r is 5000, expected at most 1024"),
        (RECIPE + "seed: -1\n", "seed is -1, expected 0 or more"),
        (RECIPE + "guide_margin: 7\n", "guide_margin is 7.0, expected from -1 to 1"),
        ("name: ../x\ntrain: [a]\n", "name is '../x', expected the name of a folder"),
        (RECIPE + "lora_dropout: 1\n", "lora_dropout is 1.0, expected from 0 to less than 1"),
        (RECIPE + "guide_margin: no\n", "guide_margin is False, expected float or None"),
        (RECIPE + "target_modules: 3\n", "target_modules is 3, expected str or a list of texts"),
        (RECIPE + "target_modules: [3]\n", "expected a list of texts"),
        (RECIPE + "skip_traps: [rolle]\n", "skip_traps names rolle, expected some of aspect"),
        (RECIPE + "loss: mnr\n", "loss is 'mnr', expected one of cache, cosent"),
        (RECIPE + "loss: cosent\ncontrastive_weight: 1\n", "is a part of loss: cache"),
        (RECIPE + "loss: cosent\nhard_negatives: false\n", "needs hard_negatives"),
        ("name: x\ntrain: rows.jsonl\n", "train is 'rows.jsonl', expected a list of files"),
        ("name: x\ntrain: []\n", "train names no file"),
        ("name: x\ntrain: [{file: a, limit: 0}]\n", "limit is 0, expected more than 0"),
        ("name: x\ntrain: [{limit: 3}]\n", "'file'.*missing"),
        ("name: x\ntrain: [{file: a, weight: 3}]\n", r"unknown keys \['weight'\]"),
    ],
)
def test_bad_recipes(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        load_recipe(path)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_recipes_load_and_choose_by_dev_alone(path):
    recipe = load_recipe(path)
    assert recipe.name
    assert not [entry.file for entry in recipe.train if ".test." in entry.file]
    assert all(file.endswith(".dev.jsonl") and Path(file).is_file() for file in recipe.dev)


def rows_file(folder: Path, *rows: object, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def recipe_of(*files: Path, **changes: object) -> Recipe:
    recipe = Recipe("x", tuple(TrainFile(str(file)) for file in files))
    return replace(recipe, **changes)  # type: ignore[arg-type]


ROWS = [
    {"anchor": "a", "positive": "b", "negative": "c", "group": "g", "domain": "law"},
    {"anchor": "d", "positive": "e", "negative_1": "f", "negative_2": "g", "negative_3": ""},
    {"anchor": "h", "positive": "i", "group": "g", "domain": "law"},
    {"question1": "j", "question2": "k", "label": 1},
    {"a": "l", "b": "m", "label": 0},
]


def test_rows_of_every_shape(tmp_path):
    examples = read_examples(recipe_of(rows_file(tmp_path, *ROWS), contrastive_weight=1.0))
    assert [(e.anchor, e.positive, e.negatives) for e in examples] == [
        ("a", "b", ("c",)),
        ("d", "e", ("f", "g")),
        ("h", "i", ()),
        ("j", "k", ()),
        ("l", None, ("m",)),
    ]
    groups = [example.group for example in examples]
    assert groups[0] == groups[2]
    assert len(set(groups)) == 4


def test_a_table_with_too_many_fields_names_the_line(tmp_path):
    (tmp_path / "rows.csv").write_text("anchor,positive\na,b\nc,d,e\n")
    with pytest.raises(DataError, match=r"rows\.csv:3: has more fields than the first line"):
        read_examples(recipe_of(tmp_path / "rows.csv"))


def test_groups_may_be_numbers(tmp_path):
    rows = [{"anchor": str(n), "positive": "b", "group": 0} for n in range(2)]
    first, second = read_examples(recipe_of(rows_file(tmp_path, *rows)))
    assert first.group == second.group


def test_groups_belong_to_a_domain(tmp_path):
    rows = [
        {"anchor": str(n), "positive": "b", "group": "g", "domain": domain}
        for n, domain in enumerate(["law", "medical", "law"])
    ]
    first, second, third = read_examples(recipe_of(rows_file(tmp_path, *rows)))
    assert first.group == third.group != second.group


def test_without_hard_negatives_only_pairs_are_left(tmp_path):
    examples = read_examples(recipe_of(rows_file(tmp_path, *ROWS), hard_negatives=False))
    assert [(e.anchor, e.negatives) for e in examples] == [(n, ()) for n in "adhj"]


def test_near_misses_of_skipped_traps_are_left_out(tmp_path):
    rows = [ROWS[0] | {"anchor": "x", "trap": "role"}, ROWS[0] | {"trap": "number"}]
    first, second = read_examples(recipe_of(rows_file(tmp_path, *rows), skip_traps=("role",)))
    assert (first.positive, first.negatives, second.negatives) == ("b", (), ("c",))


def test_limits_and_repeats(tmp_path):
    path = rows_file(tmp_path, *({"anchor": f"a{n}", "positive": f"b{n}"} for n in range(50)))
    recipe = Recipe("x", (TrainFile(str(path), limit=10, repeat=2),))
    drawn = [example.anchor for example in read_examples(recipe)]
    assert len(drawn) == 20
    assert drawn[:10] == drawn[10:]
    assert drawn == [example.anchor for example in read_examples(recipe)]
    assert drawn != [example.anchor for example in read_examples(replace(recipe, seed=1))]


def test_two_files_of_one_name(tmp_path):
    (tmp_path / "other").mkdir()
    files = [rows_file(tmp_path, *ROWS), rows_file(tmp_path / "other", *ROWS)]
    with pytest.raises(DataError, match="two files of train and dev are called rows"):
        read_examples(recipe_of(*files))
    twice = recipe_of(files[0], files[0], contrastive_weight=1.0)
    assert len(read_examples(twice)) == 2 * len(ROWS)


def test_near_misses_without_a_paraphrase_need_a_loss_that_learns_from_them(tmp_path):
    path = rows_file(tmp_path, *ROWS)
    with pytest.raises(DataError, match="nothing is learned from the 1 training rows"):
        read_examples(recipe_of(path))
    for changes in ({"contrastive_weight": 1.0}, {"loss": "online_contrastive"}):
        assert len(read_examples(recipe_of(path, **changes))) == len(ROWS)
    assert len(read_examples(recipe_of(path, hard_negatives=False))) == len(ROWS) - 1


@pytest.mark.parametrize(
    ("row", "changes", "message"),
    [
        ([], {}, "rows.jsonl:1: expected an object"),
        ({"anchor": "a"}, {}, "rows.jsonl:1: no field 'positive'"),
        ({"anchor": "a", "positive": 3}, {}, "field 'positive' is 3, expected a text"),
        ({"anchor": "a", "positive": "b", "negative_1": 3}, {}, "field 'negative_1' is 3"),
        ({"a": "x", "b": "y", "label": 0.5}, {}, "label is 0.5, expected 1 or 0"),
        ({"a": "x", "b": "y", "label": 0}, {"hard_negatives": False}, "no row is left"),
        ({"a": "x", "b": "y", "label": 0}, {}, "no training row has a positive"),
        ({"anchor": "a", "positive": "b", "label": 0}, {}, "has the fields a and b, not anchor"),
        ({"anchor": "a", "positive": "b", "negatives": ["c"]}, {}, "field 'negatives' is not read"),
        ({"anchor": "a", "positive": "b", "group": 1.5}, {}, "field 'group' is 1.5, expected"),
        ({"anchor": "a", "positive": "b"}, {"contrastive_weight": 1.0}, "needs near misses"),
        ({"anchor": "a", "positive": "b"}, {"loss": "cosent"}, "needs near misses"),
    ],
)
def test_bad_rows(tmp_path, row, changes, message):
    with pytest.raises(DataError, match=message):
        read_examples(recipe_of(rows_file(tmp_path, row), **changes))
