"""Benchmark results as tables and Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping

from semantic_router_lora.benchmark.measure import Figure
from semantic_router_lora.benchmark.results import BASELINE, BenchmarkResults, SuiteResult
from semantic_router_lora.benchmark.suite import GENERAL
from semantic_router_lora.tables import Table

NONE = "–"

# What each figure is called in tables; docs/benchmark.md defines them.
NAMES = {
    "margin": "Margin",
    "standardized_margin": "Standardised margin",
    "cosine_accuracy": "Cosine accuracy",
    "average_precision": "Average precision",
    "roc_auc": "ROC AUC",
    "best_f1": "Best F1",
    "best_f1_threshold": "at threshold",
    "recall_at_1_false_hits": "Recall at 1 % false hits",
    "recall_at_5_false_hits": "Recall at 5 % false hits",
    "p_chr_auc": "P-CHR AUC",
    "crr": "CRR",
    "threshold": "Threshold from dev",
    "precision": "Precision",
    "recall": "Recall",
    "false_hit_rate": "False-hit rate",
    "calibration_error": "Calibration error",
}
_PUBLISHED = ("Published baseline", "Published domain-specific", "Published multi-domain")
RANKING = ("margin", "standardized_margin", "cosine_accuracy", "average_precision", "roc_auc")
CACHE = (
    "best_f1",
    "best_f1_threshold",
    "recall_at_1_false_hits",
    "recall_at_5_false_hits",
    "p_chr_auc",
    "crr",
)
FROZEN = ("threshold", "precision", "recall", "false_hit_rate", "calibration_error")


def margin_table(results: BenchmarkResults) -> Table:
    """Margins by domain: baseline, domain-specific, multi-domain, winner.

    The winner has the largest margin. Percentages are relative to the baseline's margin, and left
    out where that is not above zero. For the reference system's test sets, the margins that it
    publishes stand beside, as they stand there.
    """
    general = [name for name in results.embedders if _is_general(results, name)]
    # one multi-domain adapter is called by its role, all others by their names
    columns: dict[str, str | None]
    if len(general) == 1 and len(results.embedders[general[0]].domains) > 1:
        columns = {"Multi-domain": general[0]}
    else:
        columns = {name: name for name in general} or {"Multi-domain": None}
    with_published = any(suite.published for suite in results.suites)
    rows: list[tuple[str, ...]] = []
    for suite in results.suites:
        shown = {"Baseline": BASELINE, "Domain-specific": _best_special(results, suite)} | columns
        margins = {
            head: None if name is None else suite.figures[name]["margin"].value
            for head, name in shown.items()
        }
        winner = max(margins, key=lambda head: -9.0 if (m := margins[head]) is None else m)
        cells = [_margin(margin, margins["Baseline"]) for margin in margins.values()]
        theirs = (suite.published or [NONE] * len(_PUBLISHED)) if with_published else ()
        rows.append((suite.domain, f"{suite.triplets:,}", *cells, winner, *theirs))
    heads = ("Domain", "Test triplets", "Baseline margin", "Domain-specific", *columns, "Winner")
    return Table(
        f"Similarity margin, base {results.base}",
        (*heads, *(_PUBLISHED if with_published else ())),
        rows,
    )


def figures_table(results: BenchmarkResults, title: str, metrics: tuple[str, ...]) -> Table:
    """Some metrics of every embedder by domain, with 95 % intervals."""
    rows: list[tuple[str, ...]] = []
    for suite in results.suites:
        for name, figures in suite.figures.items():
            rows.append((suite.domain, name, *_intervals(figures, metrics)))
    return Table(title, ("Domain", "Encoder", *(NAMES[metric] for metric in metrics)), rows)


def trap_table(results: BenchmarkResults) -> Table:
    """Margin, average precision and false hits of every embedder by domain and trap."""
    metrics = ("margin", "average_precision", "false_hit_rate")
    rows: list[tuple[str, ...]] = []
    for suite in results.suites:
        for trap, embedders in suite.traps.items():
            for name, figures in embedders.items():
                count = str(suite.trap_counts[trap])
                rows.append((suite.domain, trap, count, name, *_intervals(figures, metrics)))
    heads = ("Domain", "Trap", "Triplets", "Encoder", *(NAMES[metric] for metric in metrics))
    return Table("By trap: why the near miss is wrong", heads, rows)


def transfer_table(results: BenchmarkResults) -> Table:
    """Average precision of each embedder on each domain; ± is its change from the baseline."""
    rows: list[tuple[str, ...]] = []
    for name in results.embedders:
        cells = []
        for suite in results.suites:
            value = suite.figures[name]["average_precision"].value
            change = value - suite.figures[BASELINE]["average_precision"].value
            cells.append(f"{value:.3f}" + (f" ({change:+.3f})" if name != BASELINE else ""))
        rows.append((name, *cells))
    return Table(
        "Transfer: average precision of each encoder on each domain",
        ("Encoder", *(suite.domain for suite in results.suites)),
        rows,
    )


def tables(results: BenchmarkResults) -> list[Table]:
    """All tables, in the order of a report."""
    found = [
        margin_table(results),
        figures_table(results, "Telling paraphrases from near misses", RANKING),
        figures_table(results, "As a cache, at any threshold", CACHE),
    ]
    if any(suite.dev_source for suite in results.suites):
        title = "As a cache, at the threshold that served at most 5 % of the negatives of dev"
        found.append(figures_table(results, title, FROZEN))
    if len(results.suites) > 1:
        found.append(transfer_table(results))
    if any(suite.traps for suite in results.suites):
        found.append(trap_table(results))
    return found


def to_markdown(results: BenchmarkResults) -> str:
    """All tables, and how they were made."""
    blocks = [table.to_markdown() for table in tables(results)]
    return "\n".join([*blocks, provenance(results)])


def provenance(results: BenchmarkResults) -> str:
    """One paragraph: command, date, seed, hardware, versions, time."""
    made = results.environment
    versions = ", ".join(f"{name} {number}" for name, number in made["versions"].items())
    seconds = made["seconds"]
    return (
        f"Intervals are 95 % (bootstrap over triplets; Wilson's for shares). "
        f"Made by `{results.command}` on {made['time'][:10]}, seed {results.seed}, "
        f"{made['device']}, {made['threads']} threads, "
        f"{seconds['embedding']:.0f} s for embedding and {seconds['measuring']:.0f} s for "
        f"measuring; {versions}.\n"
    )


def _is_general(results: BenchmarkResults, name: str) -> bool:
    """An adapter that is not known to be for one domain of this run alone."""
    domains = results.embedders[name].domains
    measured = {suite.domain for suite in results.suites} - {GENERAL}
    return name != BASELINE and not (len(domains) == 1 and domains[0] in measured)


def _best_special(results: BenchmarkResults, suite: SuiteResult) -> str | None:
    special = [n for n, info in results.embedders.items() if info.domains == [suite.domain]]
    return max(special, key=lambda name: suite.figures[name]["margin"].value, default=None)


def _margin(margin: float | None, baseline: float | None) -> str:
    if margin is None:
        return NONE
    if baseline is None or margin == baseline or baseline <= 0:
        return f"{margin:.4f}"
    return f"{margin:.4f} ({(margin - baseline) / baseline:+.1%})"


def _intervals(figures: Mapping[str, Figure], metrics: tuple[str, ...]) -> list[str]:
    return [interval(figures[metric]) if metric in figures else NONE for metric in metrics]


def interval(figure: Figure) -> str:
    """``0.500 [0.400, 0.600]``; without brackets where there is no spread, – without a value."""
    if math.isnan(figure.value):
        return NONE
    if figure.low == figure.high == figure.value:
        return f"{figure.value:.3f}"  # a setting, such as the threshold from dev
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"
