"""How well fitted routers route BANKING77's test queries, beside what else can be done.

    python training/fitting/measure.py banking77.jsonl --output docs/results/fit-banking77.json \
        --setfit PYTHON

The file has a row {"text", "intent", "split"} for each text of BANKING77 (Casanueva et al. 2020,
CC BY 4.0). Routes are the intents, utterances are drawn from the training texts, and every test
text is routed. SetFit needs an environment of its own: PYTHON is its interpreter; without one it is
left out. A result is kept as soon as it is there, and not measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from semantic_router import IndexedRouter, Route
from semantic_router.encoders import HuggingFaceEncoder
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from semantic_router_lora import (
    Embedder,
    LoRAHuggingFaceEncoder,
    fit_adapter,
    load_router,
    use_centroids,
)
from semantic_router_lora.base_models import DEFAULT_BASE, resolve_base
from semantic_router_lora.benchmark.results import environment
from semantic_router_lora.fitting.report import words

Texts = list[str]


def draw(rows: list[dict[str, str]], shots: int, seed: int) -> dict[str, Texts]:
    """So many training texts of each intent."""
    by_intent: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row["split"] == "train":
            by_intent[row["intent"]].add(row["text"].strip())
    rng = random.Random(seed)
    return {name: rng.sample(sorted(texts), shots) for name, texts in sorted(by_intent.items())}


def through(router: Any, texts: Texts, names: Texts) -> float:
    """Accuracy through a router, with no threshold in the way."""
    router.confidence_threshold = None
    return float(router.evaluate(texts, names))


def stock(encoder: Any, routes: dict[str, Texts], **options: Any) -> IndexedRouter:
    """A router as its users build it."""
    made = [Route(name=name, utterances=texts) for name, texts in routes.items()]
    return IndexedRouter(encoder=encoder, routes=made, **options)


def drawn(router: IndexedRouter, weight: float) -> IndexedRouter:
    """The router with another weight of the centroids."""
    use_centroids(router, weight)
    return router


def logistic_regression(routes: dict[str, Texts], texts: Texts, names: Texts) -> float:
    """On the base's vectors; C is chosen by three-fold cross-validation."""
    embedder = Embedder(DEFAULT_BASE)
    utterances = [text for found in routes.values() for text in found]
    labels = [name for name, found in routes.items() for _ in found]
    search = GridSearchCV(LogisticRegression(max_iter=500), {"C": [1, 10, 100]}, cv=3)
    search.fit(embedder.encode(utterances), labels)
    return float(search.score(embedder.encode(texts), names))


def cpu_seconds() -> float:
    """Of this process and of those that it waited for."""
    return sum(os.times()[:4])


def latency(fitted: Any, bundled: Any, texts: Texts) -> float:
    """Median time of a single query with the fitted encoder, as a multiple of the bundled one's."""
    times: dict[int, list[float]] = {0: [], 1: []}
    for text in texts:
        for number, encoder in enumerate((fitted, bundled)):
            start = time.perf_counter()
            encoder([text])
            times[number].append(time.perf_counter() - start)
    return float(np.median(times[0]) / np.median(times[1]))


def setfit(
    python: str, routes: dict[str, Texts], texts: Texts, names: Texts, seed: int, pairs: int
) -> Any:
    """Accuracy and seconds of SetFit on the same base, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        task = Path(folder) / "task.json"
        content = {"base": str(resolve_base(DEFAULT_BASE).folder), "routes": routes}
        task.write_text(json.dumps(content | {"texts": texts, "seed": seed, "pairs": pairs}))
        script = Path(__file__).with_name("setfit_peer.py")
        subprocess.run([python, str(script), str(task)], check=True)
        found = json.loads(task.read_text())
    found["accuracy"] = float(
        np.mean([a == b for a, b in zip(found["chosen"], names, strict=True)])
    )
    return found


def measure(rows: list[dict[str, str]], shots: int, seed: int) -> dict[str, Any]:
    """All but SetFit."""
    texts = [row["text"] for row in rows if row["split"] == "test"]
    names = [row["intent"] for row in rows if row["split"] == "test"]
    routes = draw(rows, shots, seed)
    base = HuggingFaceEncoder(name=str(resolve_base(DEFAULT_BASE).folder))
    found: dict[str, Any] = {
        "shots": shots,
        "seed": seed,
        "router_base": through(stock(base, routes), texts, names),
        "router_base_max": through(stock(base, routes, aggregation="max"), texts, names),
        "router_multi": through(stock(LoRAHuggingFaceEncoder(), routes), texts, names),
        "logistic_regression": logistic_regression(routes, texts, names),
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "router.yaml"
        encoder = {"type": "huggingface", "name": DEFAULT_BASE}
        listed = [{"name": name, "utterances": found} for name, found in routes.items()]
        file.write_text(
            yaml.safe_dump({"router_type": "indexed", "encoder": encoder, "routes": listed})
        )
        start, cpu = time.perf_counter(), cpu_seconds()
        report = fit_adapter(file, Path(folder) / "fitted", seed=seed)
        found["fit_seconds"] = round(time.perf_counter() - start, 1)
        found["fit_cpu_seconds"] = round(cpu_seconds() - cpu, 1)
        found |= {
            "kept": report.kept,
            "held_out": {
                name: asdict(getattr(report, name)) for name in ("rise", "rescored", "share")
            },
            "scoring": words(report.scoring),
            "scoring_before": words(report.scoring_before),
        }
        alone = report.scoring_before
        options = {"aggregation": alone.aggregation, "top_k": alone.top_k}
        found["router_rescored"] = through(
            drawn(stock(base, routes, **options), alone.centroid_weight), texts, names
        )
        router = report.router or file  # else the router stays as it was
        found["router_fitted"] = through(load_router(router), texts, names)
        found["latency"] = None
        if report.adapter:
            encoder_ = LoRAHuggingFaceEncoder(adapter=report.adapter)
            found["latency"] = latency(encoder_, LoRAHuggingFaceEncoder(), texts[:200])
    return found


def main() -> None:
    """Measure what is missing in the output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--shots", type=int, nargs="+", default=[10, 5, 20])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--setfit", help="interpreter of an environment with setfit")
    parser.add_argument("--setfit-shots", type=int, nargs="+", default=[10])
    parser.add_argument("--setfit-seeds", type=int, nargs="+", default=[0])
    # The twenty of its paper (Tunstall et al. 2022, arXiv 2209.11055); the package's own default,
    # all pairs, would take hours on these routes.
    parser.add_argument("--setfit-pairs", type=int, default=20, help="of each kind for each text")
    parser.add_argument("--untimed", action="store_true", help="when other work runs beside it")
    asked = parser.parse_args()
    rows = [json.loads(line) for line in asked.data.read_text(encoding="utf-8").splitlines()]
    for shots in asked.shots:
        for seed in asked.seeds:
            row = next((r for r in kept(asked.output)["rows"] if at(r) == (shots, seed)), None)
            if row is None:
                row = measure(rows, shots, seed)
                if asked.untimed:
                    row["fit_seconds"] = row["latency"] = None
                keep(asked.output, row)
            wanted = shots in asked.setfit_shots and seed in asked.setfit_seeds
            if asked.setfit and wanted and "setfit" not in row:
                tested = [r for r in rows if r["split"] == "test"]
                texts, names = [r["text"] for r in tested], [r["intent"] for r in tested]
                utterances, pairs = draw(rows, shots, seed), asked.setfit_pairs
                found = setfit(asked.setfit, utterances, texts, names, seed, pairs)
                row |= {"setfit": found["accuracy"], "setfit_cpu_seconds": found["cpu_seconds"]}
                row["setfit_seconds"] = None if asked.untimed else found["seconds"]
                row["setfit_run"] = {"versions": found["versions"], "settings": found["settings"]}
                keep(asked.output, row)
            print(json.dumps(row), file=sys.stderr, flush=True)


def at(row: dict[str, Any]) -> tuple[int, int]:
    """What a row was measured of."""
    return row["shots"], row["seed"]


def kept(output: Path) -> dict[str, Any]:
    """The results so far."""
    content: dict[str, Any] = json.loads(output.read_text()) if output.is_file() else {"rows": []}
    return content


def keep(output: Path, row: dict[str, Any]) -> None:
    """Write a row beside those that are there, which another process may have written."""
    rows = [other for other in kept(output)["rows"] if at(other) != at(row)]
    results = {
        "kind": "fit",
        "command": "python training/fitting/measure.py banking77.jsonl "
        "--output docs/results/fit-banking77.json --setfit PYTHON",
        "environment": environment("cpu"),
        "rows": sorted([*rows, row], key=at),
    }
    output.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
