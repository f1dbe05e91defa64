"""What the evaluation was measured on, and what the adapter costs elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from semantic_router_lora.benchmark.measure import Figure
from semantic_router_lora.benchmark.results import BASELINE, BenchmarkResults
from semantic_router_lora.benchmark.suite import GENERAL, Suite, load_suites
from semantic_router_lora.checking.outcome import Outcome, failed, passed, warned
from semantic_router_lora.checking.report import FigureRow
from semantic_router_lora.checking.subject import Subject

# The figures that a report shows.
SHOWN = ("average_precision", "margin", "false_hit_rate")


def bundled_suites(split: str) -> list[Suite]:
    """The package's own suites of a split."""
    return load_suites([f"bundled:{split}"])


def check_suites(subject: Subject) -> Outcome:
    """The figures are of the package's test suites, of every triplet, with its dev suites."""
    results = cast(BenchmarkResults, subject.results)
    tests = {suite.domain: suite for suite in bundled_suites("test")}
    devs = {suite.domain: suite.sha256 for suite in bundled_suites("dev")}
    problems, others = [], []
    for suite in results.suites:
        expected = tests.get(suite.domain)
        if expected is None:
            others.append(suite.domain)
        elif suite.sha256 != expected.sha256:
            problems.append(
                f"{suite.domain}: SHA-256 of the test file is {suite.sha256[:80]}, that of "
                f"{expected.source} is {expected.sha256}"
            )
        elif suite.triplets != len(expected.triplets):
            problems.append(
                f"{suite.domain}: {suite.triplets} triplets were measured, the suite has "
                f"{len(expected.triplets)}"
            )
        elif suite.dev_sha256 != devs[suite.domain]:
            problems.append(f"{suite.domain}: thresholds are not from {suite.domain}.dev.jsonl")
    if problems:
        return failed(problems)
    subject.figures = list(_shown(results))
    if others:
        return warned([f"figures on {', '.join(others)} cannot be measured again here"])
    return passed("the package's own, whole")


def _shown(results: BenchmarkResults) -> Iterator[FigureRow]:
    label = adapter_label(results)
    for suite in results.suites:
        base, adapter = suite.figures[BASELINE], suite.figures[label]
        for metric in SHOWN:
            if metric in base and metric in adapter:
                found = adapter[metric]
                yield FigureRow(
                    suite.domain, metric, base[metric].value, (found.value, found.low, found.high)
                )


def adapter_label(results: BenchmarkResults) -> str:
    """What the adapter is called in results of one adapter."""
    return next(name for name in results.embedders if name != BASELINE)


def check_general(subject: Subject) -> Outcome:
    """Outside of its domains the adapter does not fall behind the base by more than chance."""
    results = cast(BenchmarkResults, subject.results)
    general = next(suite for suite in results.suites if suite.domain == GENERAL)
    base, adapter = general.figures[BASELINE], general.figures[adapter_label(results)]
    worse = [
        f"{metric} on everyday questions: base {figure_text(base[metric])}, adapter "
        f"{figure_text(adapter[metric])}"
        for metric in ("average_precision", "margin", "cosine_accuracy")
        if metric in base and metric in adapter and adapter[metric].value < base[metric].low
    ]
    if worse:
        return warned(worse)
    return passed("everyday questions cost nothing beyond the interval of the base")


def figure_text(figure: Figure) -> str:
    """A value with its interval."""
    return f"{figure.value:.4f} [{figure.low:.4f}, {figure.high:.4f}]"
