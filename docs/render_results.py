"""Write the tables of committed results into README and docs.

A block that begins with ``<!-- results FILE VIEW -->`` and ends with ``<!-- end -->`` is replaced
by that view of that file of docs/results. ``--check`` changes nothing and fails if anything would
change.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from semantic_router_lora.benchmark.report import (
    FROZEN,
    RANKING,
    figures_table,
    margin_table,
    to_markdown,
    transfer_table,
)
from semantic_router_lora.benchmark.results import BenchmarkResults, read_results
from semantic_router_lora.benchmark.speed.run import speed_table
from semantic_router_lora.tables import Table

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(
    r"(?P<head><!-- results (?P<file>\S+) (?P<view>\S+) -->\n).*?(?P<tail><!-- end -->)", re.S
)
PAGES = (
    ROOT / "README.md",
    ROOT / "training" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
)


def main_ones(results: BenchmarkResults) -> BenchmarkResults:
    """The same without adapters that were made for one domain, to keep tables readable."""
    kept = {name: info for name, info in results.embedders.items() if len(info.domains) != 1}

    def only(figures: dict[str, Any]) -> dict[str, Any]:
        return {name: figures[name] for name in kept if name in figures}

    suites = [
        replace(
            suite,
            figures=only(suite.figures),
            traps={trap: only(figures) for trap, figures in suite.traps.items()},
        )
        for suite in results.suites
    ]
    return replace(results, embedders=kept, suites=suites)


VIEWS: dict[str, Callable[[BenchmarkResults], str]] = {
    "margins": lambda results: margin_table(results).to_markdown(),
    "figures": lambda results: figures_table(
        main_ones(results), "Telling paraphrases from near misses", RANKING
    ).to_markdown(),
    "transfer": lambda results: transfer_table(results).to_markdown(),
    "frozen": lambda results: figures_table(
        main_ones(results),
        "At the threshold that served at most 5 % of the negatives of dev",
        FROZEN,
    ).to_markdown(),
    "all": lambda results: to_markdown(main_ones(results)),
}


def ablation(content: dict[str, Any]) -> str:
    """The table of training/ablation/run.py."""

    def figures(found: dict[str, Any]) -> list[str]:
        return [
            f"{value:.3f} [{low:.3f}, {high:.3f}]"
            for part in ("domains", "general")
            for value, low, high in (found[part]["margin"], found[part]["average_precision"])
        ]

    heads = ("Margin", "Average precision", "General: margin", "average precision")
    rows = [("base, no adapter", "–", *figures(content["base"]))]
    rows += [
        (name, f"{found['trainable_parameters']:,}", *figures(found))
        for name, found in content["variants"].items()
    ]
    return Table("Ablation, on dev", ("Variant", "Parameters", *heads), rows).to_markdown()


def mining(content: dict[str, Any]) -> str:
    """The table of training/mining/measure.py."""
    heads = ("Options", "Rows", "Hidden paraphrases", "Similarity, median", "Below 0.4")
    more = ("Closer than the positive, by the labels",)
    rows = []
    for run in content["runs"]:
        options = [f"--{k.replace('_', '-')} {v:g}" for k, v in run["options"].items()]
        half = run["halves"]
        shares = (half["hidden_paraphrases"], half["below_0.4"])
        shares += (run["labels"]["closer_than_positive"],)
        hidden, below, closer = (f"{share:.0%}" for share in shares)
        similarity = f"{half['median_similarity']:.2f}"
        name = f"`{' '.join(options)}`" if options else "default"
        rows.append((name, f"{half['rows']:,}", hidden, similarity, below, closer))
    title = f"Near misses of {content['questions']:,} questions with {content['intents']} intents"
    return Table(title, heads + more, rows).to_markdown()


def rate(content: dict[str, Any]) -> str:
    """The sentence of tests/servers/measure_rate.py."""
    shares = content["shares"]
    return (
        f"Against a server that answers after {content['latency_seconds'] * 1000:g} ms, "
        f"{content['in_flight']} requests in flight came to {content['median_share']:.0%} of the "
        f"ideal {content['ideal_per_second']:g} a second (median of {len(shares)} runs, "
        f"{min(shares):.0%} to {max(shares):.0%}; server and client on {content['processors']} "
        f"cores). Server and results: `{content['command']}`.\n"
    )


def outcomes(content: dict[str, Any]) -> str:
    """The report of a ``generate`` job."""
    rows = [("written", f"{content['written']}", f"{content['triplets']} triplets")]
    for name in ("rejected", "failed"):
        found = content[name]
        reasons = "; ".join(f"{reason}: {count}" for reason, count in found.items())
        rows.append((name, f"{sum(found.values())}", reasons or "–"))
    removed = "; ".join(f"{name}: {found['texts']}" for name, found in content["removed"].items())
    rows.append(("all", f"{content['queries']}", f"texts that filters removed: {removed}"))
    table: list[tuple[str, ...]] = list(rows)
    return Table("Queries", ("Outcome", "Queries", "What"), table).to_markdown()


def fit_example(content: dict[str, Any]) -> str:
    """The routers of docs/examples/fit/evaluate.py."""
    rows = []
    for name, found in content["routers"].items():
        low, high = found["interval"]
        changed = f" ({found['difference']:+.3f} [{low:+.3f}, {high:+.3f}])" if rows else ""
        threshold = found["threshold"]
        kept = [f"{found[k]:.3f}" for k in ("right_with_threshold", "wrong_with_threshold")]
        rows.append(
            (
                f"{name} ({found['scoring']})",
                f"{found['accuracy']:.3f}{changed}",
                f"{found['auroc_out_of_scope']:.3f}",
                "none" if threshold is None else f"{threshold:.3f}",
                *kept,
                f"{found['refused_out_of_scope']:.3f}",
            )
        )
    queries = content["queries"]
    title = f"{queries['with_route']} queries with a route, {queries['out_of_scope']} without"
    heads = ("Router", "Accuracy", "AUROC, out of scope", "Threshold in the file")
    with_it = ("With it: right", "wrong", "out of scope refused")
    return Table(title, heads + with_it, rows).to_markdown()


def fit_changed(content: dict[str, Any]) -> str:
    """Test queries whose route became right or wrong, one in three of each."""
    shown = [
        (row["query"], row["route"], row["before"], row["after"])
        for right in (True, False)
        for row in [r for r in content["changed"] if (r["after"] == r["route"]) == right][::3]
    ]
    became = sum(row["after"] == row["route"] for row in content["changed"])
    title = f"Every third of {became} that became right and of {len(content['changed']) - became}"
    heads = ("Test query", "Right route", "Before", "After")
    return Table(f"{title} that became wrong", heads, shown).to_markdown()


def fit(content: dict[str, Any]) -> str:
    """Accuracies by utterances per route; means over seeds, with the least and the most."""
    columns = {
        "router_base": "Router on the base",
        "router_base_max": "the same, nearest utterance",
        "router_rescored": "the same, scored anew by fit",
        "router_multi": "Router on the multi-domain adapter",
        "router_fitted": "Router, fitted",
        "logistic_regression": "Logistic regression",
        "setfit": "SetFit",
        "fit_seconds": "Fit, seconds",
        "setfit_seconds": "SetFit, seconds",
    }
    rows = []
    for shots in sorted({row["shots"] for row in content["rows"]}):
        here = [row for row in content["rows"] if row["shots"] == shots]
        cells = []
        for key in columns:
            values = [row[key] for row in here if row.get(key) is not None]
            mean = sum(values) / len(values) if values else 0.0
            if not values:
                cells.append("–")
            elif key.endswith("seconds"):
                cells.append(f"{mean:.0f}")
            elif len(values) == 1:
                cells.append(f"{mean:.3f}" + (" (one seed)" if len(here) > 1 else ""))
            else:
                cells.append(f"{mean:.3f} ({min(values):.3f}–{max(values):.3f})")
        rows.append((str(shots), f"{sum(row['kept'] for row in here)} of {len(here)}", *cells))
    heads = ("Utterances per route", "Kept", *columns.values())
    return Table("Test accuracy: mean over seeds (least–most)", heads, rows).to_markdown()


# Views of files that are not results of the benchmark.
OTHER_VIEWS: dict[str, Callable[[dict[str, Any]], str]] = {
    "ablation": ablation,
    "changed": fit_changed,
    "example": fit_example,
    "fit": fit,
    "mining": mining,
    "outcomes": outcomes,
    "rate": rate,
    "speed": lambda content: speed_table(content).to_markdown(),
}


def rendered(text: str) -> str:
    """The text with every block filled in."""

    def fill(match: re.Match[str]) -> str:
        path = ROOT / "docs" / "results" / match["file"]
        if match["view"] in OTHER_VIEWS:
            content = json.loads(path.read_text(encoding="utf-8"))
            table = OTHER_VIEWS[match["view"]](content)
        else:
            table = VIEWS[match["view"]](read_results(path))
        return f"{match['head']}{table.strip()}\n{match['tail']}"

    return BLOCK.sub(fill, text)


def main() -> None:
    """Render, or check with ``--check``."""
    stale = []
    for path in PAGES:
        before = path.read_text(encoding="utf-8")
        after = rendered(before)
        if before != after:
            stale.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(after, encoding="utf-8")
    print("out of date:" if stale else "up to date", *stale)
    if stale and "--check" in sys.argv:
        sys.exit(1)


if __name__ == "__main__":
    main()
