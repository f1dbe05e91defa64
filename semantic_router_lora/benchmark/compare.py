"""Comparing two runs, and holding a run to limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from semantic_router_lora.benchmark.measure import Figure
from semantic_router_lora.benchmark.report import FROZEN, NAMES, interval
from semantic_router_lora.benchmark.results import BASELINE, BenchmarkResults, SuiteResult
from semantic_router_lora.errors import DataError, InputError
from semantic_router_lora.tables import Table

COMPARED = ("margin", "average_precision", "recall_at_5_false_hits", "false_hit_rate", "recall")

# Of the others, less is better or neither is.
HIGHER_IS_BETTER = tuple(
    name
    for name in NAMES
    if name not in ("false_hit_rate", "calibration_error", "threshold", "best_f1_threshold")
)


def compare_table(first: BenchmarkResults, second: BenchmarkResults) -> Table:
    """What changed from one run to another, and whether the intervals overlap.

    Domains and encoders that only one run has are left out, but where each run has one adapter,
    the two are compared whatever their names. Where triplets differ, the last column says so.

    Raises:
        DataError: if the runs have no domain in common.
    """
    rows: list[tuple[str, ...]] = []
    later = {suite.domain: suite for suite in second.suites}
    names = _paired_encoders(first, second)
    for suite in first.suites:
        other = later.get(suite.domain)
        if other is None:
            continue
        for name, new_name in names.items():
            for metric in COMPARED:
                before = suite.figures[name].get(metric)
                after = other.figures[new_name].get(metric)
                if before is not None and after is not None:
                    same = _same_triplets(first, suite, second, other, metric)
                    verdict = _verdict(before, after) if same else "other triplets"
                    rows.append(
                        (
                            suite.domain,
                            name if name == new_name else f"{name} / {new_name}",
                            NAMES[metric],
                            interval(before),
                            interval(after),
                            f"{after.value - before.value:+.3f}",
                            verdict,
                        )
                    )
    if not rows:
        raise DataError("the two runs have no domain in common: there is nothing to compare")
    heads = ("Domain", "Encoder", "Figure", "First", "Second", "Change", "Intervals")
    return Table("Comparison", heads, rows)


def _paired_encoders(first: BenchmarkResults, second: BenchmarkResults) -> dict[str, str]:
    paired = {name: name for name in first.embedders if name in second.embedders}
    lone = [[n for n in run.embedders if n != BASELINE] for run in (first, second)]
    if len(lone[0]) == len(lone[1]) == 1:
        paired[lone[0][0]] = lone[1][0]
    return paired


def _same_triplets(
    first: BenchmarkResults,
    suite: SuiteResult,
    second: BenchmarkResults,
    other: SuiteResult,
    metric: str,
) -> bool:
    same = (suite.sha256, suite.triplets) == (other.sha256, other.triplets)
    if suite.triplets < suite.sampled_from:
        same = same and first.seed == second.seed
    return same and (metric not in FROZEN or suite.dev_sha256 == other.dev_sha256)


def _verdict(before: Figure, after: Figure) -> str:
    if before == after:
        return "equal"
    if math.isnan(before.value) or math.isnan(after.value):
        return "not comparable"
    return "overlap" if before.low <= after.high and after.low <= before.high else "apart"


def parse_limit(text: str, *, with_dev: bool = True) -> tuple[str, float]:
    """Read ``metric=value``.

    Args:
        text: to read.
        with_dev: whether there are dev triplets, which figures at a frozen threshold need.

    Raises:
        InputError: if the metric is unknown, not better when it is higher, or not measured, or the
            value is no number.
    """
    metric, _, value = text.partition("=")
    allowed = [name for name in HIGHER_IS_BETTER if with_dev or name not in FROZEN]
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if metric not in allowed or math.isnan(number):
        raise InputError(
            f"{text!r} is no limit; expected metric=value with one of {', '.join(allowed)}"
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
