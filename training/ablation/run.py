"""Train every variant of variants.yaml and measure it on the bundled dev suites.

    python training/ablation/run.py

A variant that was measured before, on the same data, is not trained again; what is found is written
to docs/results/ablation-L6.json after each.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import yaml

from semantic_router_lora.adapters import layout
from semantic_router_lora.base_models import DEFAULT_BASE, file_sha256
from semantic_router_lora.benchmark.measure import measure
from semantic_router_lora.benchmark.results import environment
from semantic_router_lora.benchmark.similarities import pooled, similarities_of
from semantic_router_lora.benchmark.suite import DOMAINS, GENERAL, load_suites
from semantic_router_lora.embedder import Embedder
from semantic_router_lora.training.recipe import Recipe
from semantic_router_lora.training.recipe_file import load_recipe
from semantic_router_lora.training.run import train

HERE = Path(__file__).parent
RESULTS = HERE.parents[1] / "docs" / "results" / "ablation-L6.json"
METRICS = ("margin", "average_precision")


def main() -> None:
    """Train and measure what has no result yet."""
    plan = yaml.safe_load((HERE / "variants.yaml").read_text(encoding="utf-8"))
    found: dict[str, Any] = {"variants": {}}
    if RESULTS.is_file():
        found = json.loads(RESULTS.read_text(encoding="utf-8"))
    found |= {"command": "python training/ablation/run.py", "environment": environment("cpu")}
    if "base" not in found:
        found["base"] = _figures(None)
    for name, changes in plan["variants"].items():
        recipe = _recipe(plan["everything"] | changes)
        data = {Path(entry.file).name: file_sha256(Path(entry.file)) for entry in recipe.train}
        before = found["variants"].get(name, {})
        if (before.get("recipe"), before.get("data")) == (recipe.to_dict(), data):
            continue
        print(name, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "adapter"
            train(recipe, output)
            info = json.loads((output / layout.TRAINING_INFO).read_text(encoding="utf-8"))
            found["variants"][name] = {
                "recipe": recipe.to_dict(),
                "data": data,
                **{key: info[key] for key in ("trainable_parameters", "steps", "seconds")},
                **_figures(str(output)),
            }
        unfinished = RESULTS.with_suffix(".part")
        unfinished.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        unfinished.replace(RESULTS)


def _recipe(content: dict[str, Any]) -> Recipe:
    """A recipe as the trainer reads it, with its paths from this folder."""
    file = HERE / "variant.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    try:
        return load_recipe(file)
    finally:
        file.unlink()


def _figures(adapter: str | None) -> dict[str, Any]:
    """Margin and average precision over the four domains together, and on the general suite."""
    suites = load_suites(["bundled:dev"])
    embedder = Embedder(DEFAULT_BASE, adapter)
    found = {
        suite.domain: similarities
        for suite, similarities in zip(suites, similarities_of(embedder, suites), strict=True)
    }
    parts = {"domains": pooled([found[domain] for domain in DOMAINS]), "general": found[GENERAL]}
    return {
        part: {
            metric: [figure.value, figure.low, figure.high]
            for metric, figure in measure(similarities, seed=42).items()
            if metric in METRICS
        }
        for part, similarities in parts.items()
    }


if __name__ == "__main__":
    main()
