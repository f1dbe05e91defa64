"""Comparing two runs, and holding a run to limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from semantic_router_lora.benchmark.measure import Figure
from semantic_router_lora.benchmark.report import NAMES, interval
from semantic_router_lora.benchmark.results import BASELINE, BenchmarkResults
from semantic_router_lora.errors import InputError
from semantic_router_lora.tables import Table

COMPARED = ("margin", "average_precision", "recall_at_5_false_hits", "false_hit_rate", "recall")


def compare_table(first: BenchmarkResults, second: BenchmarkResults) -> Table:
    """What changed from one run to another, and whether the intervals overlap.

    Domains and encoders that only one run has are left out; a suite whose file changed says so.
    """
    rows: list[tuple[str, ...]] = []
    later = {suite.domain: suite for suite in second.suites}
    for suite in first.suites:
        other = later.get(suite.domain)
        if other is None:
            continue
        same = (suite.sha256, suite.triplets) == (other.sha256, other.triplets)
        for name in suite.figures.keys() & other.figures.keys():
            for metric in COMPARED:
                before, after = suite.figures[name].get(metric), other.figures[name].get(metric)
                if before is not None and after is not None:
                    verdict = _verdict(before, after) if same else "other triplets"
                    rows.append(
                        (
                            suite.domain,
                            name,
                            NAMES[metric],
                            interval(before),
                            interval(after),
                            f"{after.value - before.value:+.3f}",
                            verdict,
                        )
                    )
    rows.sort(key=lambda row: row[:2])
    heads = ("Domain", "Encoder", "Figure", "First", "Second", "Change", "Intervals")
    return Table("Comparison", heads, rows)


def _verdict(before: Figure, after: Figure) -> str:
    if before == after:
        return "equal"
    if math.isnan(before.value) or math.isnan(after.value):
        return "not comparable"
    return "overlap" if before.low <= after.high and after.low <= before.high else "apart"


def parse_limit(text: str) -> tuple[str, float]:
    """Read ``metric=value``.

    Raises:
        InputError: if the metric is unknown or the value no number.
    """
    metric, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if metric not in NAMES or math.isnan(number):
        raise InputError(
            f"{text!r} is no limit; expected metric=value with one of {', '.join(NAMES)}"
        )
    return metric, number


def limits_missed(results: BenchmarkResults, limits: Sequence[tuple[str, float]]) -> list[str]:
    """One line for each adapter whose mean over the suites lies below a limit.

    Without adapters the baseline is held to the limits.
    """
    names = [name for name in results.embedders if name != BASELINE] or [BASELINE]
    missed = []
    for name in names:
        for metric, limit in limits:
            values = [
                suite.figures[name][metric].value
                for suite in results.suites
                if metric in suite.figures[name]
            ]
            mean = fmean(values) if values else math.nan
            if not mean >= limit:
                missed.append(f"{name}: {metric} is {mean:.4f} on average, below {limit}")
    return missed
