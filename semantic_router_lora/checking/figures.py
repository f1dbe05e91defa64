"""The recorded figures against those of the benchmark, run again here."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from semantic_router_lora.base_models import BaseModel
from semantic_router_lora.benchmark.measure import Figure
from semantic_router_lora.benchmark.results import (
    BASELINE,
    BenchmarkResults,
    Figures,
    SuiteResult,
)
from semantic_router_lora.checking.outcome import Outcome, failed, passed, warned
from semantic_router_lora.checking.report import FigureRow
from semantic_router_lora.checking.subject import Subject
from semantic_router_lora.checking.suites import adapter_label, bundled_suites, figure_text

# What the arithmetic of another processor can move a figure by: one triplet of 171 changing sides.
TOLERANCE = 0.006
# An interval that is wider than the one measured again by more than this hides something.
_WIDEST = 2.0


def check_figures(subject: Subject) -> Outcome:
    """The benchmark, run again, gives the recorded figures.

    Weights, suites and seed are the same, so the figures should be, but for rounding; an interval
    is what chance may do, and what lies outside of it was not measured with these files.
    """
    from semantic_router_lora.benchmark.run import run_benchmark

    recorded = cast(BenchmarkResults, subject.results)
    base = cast(BaseModel, subject.base_model)
    again = run_benchmark(
        bundled_suites("test"),
        base=subject.base or base.name,
        dev=bundled_suites("dev"),
        adapters=[str(subject.folder)],
        seed=recorded.seed,
        device="cpu",
        show_progress=subject.show_progress,
    )
    subject.figures = _with_rerun(subject.figures, again)
    return compare_results(recorded, again)


def compare_results(recorded: BenchmarkResults, again: BenchmarkResults) -> Outcome:
    """Failed if a figure lies outside of its interval, a warning if one is not equal."""
    suites = {suite.domain: suite for suite in recorded.suites}
    labels = {BASELINE: BASELINE, adapter_label(recorded): adapter_label(again)}
    outside: list[str] = []
    off: list[str] = []
    count = 0
    for new in again.suites:
        for recorded_as, found_as in labels.items():
            for place, left, right in _pairs(suites[new.domain], new, recorded_as, found_as):
                problems = _problems(left, right)
                outside += [f"{place}: {problem}" for problem in problems]
                off += [] if problems else _remarks(place, left, right)
                count += len(right)
    if outside:
        return failed(outside)
    if off:
        return warned(["within their intervals, but not what was measured here:", *off])
    return passed(
        f"{count:,} figures of base and adapter measured again, none off by more than {TOLERANCE}"
    )


def _pairs(
    old: SuiteResult, new: SuiteResult, recorded_as: str, found_as: str
) -> Iterator[tuple[str, Figures, Figures]]:
    yield f"{new.domain}, {recorded_as}", old.figures[recorded_as], new.figures[found_as]
    for trap, figures in new.traps.items():
        place = f"{new.domain}/{trap}, {recorded_as}"
        yield place, old.traps.get(trap, {}).get(recorded_as, {}), figures[found_as]


def _problems(old: Figures, new: Figures) -> list[str]:
    problems = []
    for metric in sorted(old.keys() | new.keys()):
        if metric not in old or metric not in new:
            where = "recorded" if metric in new else "measured"
            problems.append(f"{metric} is not {where}")
        elif not _within(new[metric].value, old[metric]):
            problems.append(
                f"{metric} is recorded as {figure_text(old[metric])}, measured again it is "
                f"{new[metric].value:.4f}"
            )
        elif not _within(old[metric].value, new[metric]):
            problems.append(
                f"{metric} is recorded as {old[metric].value:.4f}, measured again it is "
                f"{figure_text(new[metric])}"
            )
        elif _width(old[metric]) > _WIDEST * _width(new[metric]) + TOLERANCE:
            problems.append(
                f"the interval of {metric} is recorded as {figure_text(old[metric])}, measured "
                f"again it is {figure_text(new[metric])}"
            )
    return problems


def _remarks(place: str, old: Figures, new: Figures) -> list[str]:
    return [
        f"{place}: {metric} is recorded as {old[metric].value:.4f}, measured again it is "
        f"{figure.value:.4f}"
        for metric, figure in new.items()
        if abs(old[metric].value - figure.value) > TOLERANCE
    ]


def _within(value: float, figure: Figure) -> bool:
    """Whether a value lies in an interval, to the rounding of another machine; nan is nan's."""
    if math.isnan(value) or math.isnan(figure.value):
        return math.isnan(value) and math.isnan(figure.value)
    # where resamples have no value, there is no interval
    low, high = (figure.value if math.isnan(end) else end for end in (figure.low, figure.high))
    return min(low, figure.value) - TOLERANCE <= value <= max(high, figure.value) + TOLERANCE


def _width(figure: Figure) -> float:
    return 0.0 if math.isnan(figure.low + figure.high) else figure.high - figure.low


def _with_rerun(rows: list[FigureRow], again: BenchmarkResults) -> list[FigureRow]:
    label = adapter_label(again)
    suites = {suite.domain: suite.figures[label] for suite in again.suites}
    return [
        replace(row, rerun=suites[row.domain][row.metric].value)
        if row.metric in suites.get(row.domain, {})
        else row
        for row in rows
    ]
