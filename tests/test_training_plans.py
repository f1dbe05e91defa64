"""Before a run: the layers that it trains, and the dry run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from semantic_router_lora.errors import DataError
from semantic_router_lora.training.recipe_file import load_recipe
from semantic_router_lora.training.run import train

pytest.importorskip("sentence_transformers")
RECIPES = Path(__file__).parents[1] / "training" / "recipes"


def test_all_linear_layers_but_the_pooler(tiny_base):
    from transformers import AutoModel

    from semantic_router_lora.training.targets import find_targets

    model = AutoModel.from_pretrained(tiny_base)
    assert find_targets(model, "all-linear") == ["dense", "key", "query", "value"]
    del model.encoder
    with pytest.raises(DataError, match="is not known; name some of"):
        find_targets(model, "query+value")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            ("q_proj", "v_proj"),
            r"no linear layer q_proj, v_proj; query\+value there is query, value",
        ),
        (("query", "v_proj"), "no linear layer v_proj; .*it has dense, key, query, value"),
        ("qv", r"expected query\+value, all-linear or a list of names"),
    ],
)
def test_layers_that_the_base_has_not_are_refused(recipe, tiny_base, tmp_path, asked, message):
    recipe = replace(recipe, target_modules=asked)
    with pytest.raises(DataError, match=message):
        train(recipe, tmp_path / "x", base_folder=tiny_base)


@pytest.mark.slow
@pytest.mark.parametrize(("layers", "parameters"), [(6, 73_728), (12, 147_456)])
def test_dry_run(recipe, base_folder, twelve_layers, layers, parameters, tmp_path):
    from semantic_router_lora.training.plan import plan

    found = plan(recipe, base_folder if layers == 6 else twelve_layers)
    assert (found.parameters, found.targets) == (parameters, ["query", "value"])
    assert (found.steps, found.rows, found.with_negatives) == (15, {"law": 60}, 60)
    assert found.unused == 0
    assert "find no place" not in str(found.table("x"))
    assert "60 with near misses; 7 find no place" in str(replace(found, unused=7).table("x"))
    assert found.seconds > 0
    assert found.memory > 100 * 2**20
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".jsonl", ".jsonl", ".yaml"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "parameters"), [("reference-L12", 147_456), ("multi-domain-L12", 331_776)]
)
def test_recipes_for_twelve_layers(recipe, twelve_layers, name, parameters):
    from semantic_router_lora.training.plan import plan

    shipped = load_recipe(RECIPES / f"{name}.yaml")
    assert shipped.base == "sentence-transformers/all-MiniLM-L12-v2"
    found = plan(replace(shipped, train=recipe.train, dev=(), batch_size=8), twelve_layers)
    assert found.parameters == parameters
