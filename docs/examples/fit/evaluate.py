"""Ask the router as it is and the fitted one the queries of a test file, and write what they say.

python evaluate.py ROUTER.yaml FIT_FOLDER TEST.jsonl RESULTS.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml
from sklearn.metrics import roc_auc_score

from semantic_router_lora import load_router
from semantic_router_lora.benchmark.results import environment
from semantic_router_lora.fitting.report import words
from semantic_router_lora.fitting.scores import Scoring

EVERYTHING = -1e9  # a threshold below any score


def answers(router: Any, queries: list[str]) -> list[dict[str, Any]]:
    """For each query the best route, its confidence, and the route that the threshold lets by."""
    found = []
    for query in queries:
        best, chosen = router(query, threshold=EVERYTHING), router(query)
        found.append(
            {
                "query": query,
                "best": best.name,
                "confidence": best.confidence,
                "chosen": chosen.name,
            }
        )
    return found


def figures(found: list[dict[str, Any]], routes: list[str | None]) -> dict[str, Any]:
    """Shares, of queries with a route or without."""
    inside = np.array([route is not None for route in routes])
    right = np.array([a["best"] == route for a, route in zip(found, routes, strict=True)])
    served = np.array([a["chosen"] is not None for a in found])
    confidence = [a["confidence"] for a in found]
    return {
        "accuracy": float(right[inside].mean()),
        "right_with_threshold": float((right & served)[inside].mean()),
        "wrong_with_threshold": float((~right & served)[inside].mean()),
        "refused_out_of_scope": float((~served)[~inside].mean()),
        "auroc_out_of_scope": float(roc_auc_score(inside, confidence)),
    }


def interval(before: np.ndarray, after: np.ndarray) -> list[float]:
    """The 95 % interval of the difference of two shares, by paired bootstrap over queries."""
    rng = np.random.default_rng(42)
    difference = after.astype(float) - before.astype(float)
    draws = rng.choice(difference, (10_000, len(difference))).mean(axis=1)
    return [float(value) for value in np.quantile(draws, [0.025, 0.975])]


def read(path: Path) -> dict[str, Any]:
    """A router file as it stands."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def scoring(content: dict[str, Any]) -> str:
    """How a router scores, in words."""
    weight = content["routes"][0].get("metadata", {}).get("centroid_weight", 0.0)
    return words(Scoring(content["top_k"], content["aggregation"], weight))


def main(file: Path, fit: Path, test: Path, output: Path) -> None:
    """Evaluate and write."""
    rows = [json.loads(line) for line in test.read_text(encoding="utf-8").splitlines()]
    queries, routes = [row["query"] for row in rows], [row["route"] for row in rows]
    report = json.loads((fit / "report.json").read_text(encoding="utf-8"))
    files = {"as it is": file}
    with TemporaryDirectory() as folder:
        if report["kept"]:
            # what another way of scoring is worth without an adapter
            files["as it is, scored like the fitted one"] = Path(folder) / file.name
            files["fitted"] = fit / file.name
            fitted, content = read(files["fitted"]), read(file)
            content |= {name: fitted[name] for name in ("top_k", "aggregation", "routes")}
            (Path(folder) / file.name).write_text(yaml.safe_dump(content), encoding="utf-8")
        elif report["router"]:
            files["scored anew"] = fit / file.name
        contents = {name: read(path) for name, path in files.items()}
        asked = {name: answers(load_router(path), queries) for name, path in files.items()}
    inside = np.array([route is not None for route in routes])
    right = {
        name: np.array([a["best"] == r for a, r in zip(found, routes, strict=True)])[inside]
        for name, found in asked.items()
    }
    before = right["as it is"]
    results = {
        "command": "bash docs/examples/fit/run.sh",
        "kept": report["kept"],
        "fit_seconds": report["seconds"],
        "queries": {"with_route": int(inside.sum()), "out_of_scope": int((~inside).sum())},
        "routers": {
            name: {
                "scoring": scoring(content),
                "threshold": content.get("confidence_threshold"),
                **figures(asked[name], routes),
                "difference": float(right[name].mean() - before.mean()),
                "interval": interval(before, right[name]),
            }
            for name, content in contents.items()
        },
        "held_out": {
            **{name: report[name] for name in ("rise", "rescored", "share")},
            "auroc_out_of_scope": report["auroc"],
            "general": report["general"],
        },
        "changed": [
            {"query": query, "route": route, "before": old["best"], "after": new["best"]}
            for query, route, old, new in zip(
                queries, routes, asked["as it is"], list(asked.values())[-1], strict=True
            )
            if route is not None and (old["best"] == route) != (new["best"] == route)
        ],
        "environment": environment("cpu"),
    }
    output.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for name, found in results["routers"].items():
        print(name, json.dumps(found))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
