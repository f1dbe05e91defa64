"""The results of the benchmark that belong to one adapter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from semantic_router_lora.benchmark.measure import Figure
from semantic_router_lora.benchmark.results import (
    BASELINE,
    BenchmarkResults,
    EmbedderInfo,
    SuiteResult,
    read_results,
)
from semantic_router_lora.card.fields import is_number
from semantic_router_lora.errors import DataError

MOST_BYTES = 50_000_000
_NAME = re.compile(r"\w[\w .:+-]{0,99}\Z")


@dataclass(frozen=True)
class CardResults:
    """Results of the base model and of one adapter.

    Attributes:
        results: with no other adapter in them.
        label: what the adapter is called there.
    """

    results: BenchmarkResults
    label: str

    @property
    def suites(self) -> list[SuiteResult]:
        """One for each domain."""
        return self.results.suites

    @property
    def fingerprint(self) -> str:
        """Of the encoder that was measured."""
        return self.results.embedders[self.label].fingerprint

    @property
    def triplets(self) -> int:
        """That were measured, of all domains."""
        return sum(suite.triplets for suite in self.suites)


def read_card_results(path: Path, names: Sequence[str]) -> CardResults | None:
    """Read evaluation_results.json; None if it is not there.

    Args:
        path: of the file.
        names: what the adapter may be called, where the file holds several.

    Raises:
        DataError: if it holds something else, or no adapter of such a name.
    """
    if not path.is_file():
        return None
    results = checked_results(path)
    adapters = [name for name in results.embedders if name != BASELINE]
    label = next((name for name in names if name in adapters), None)
    if label is None and len(adapters) == 1:
        label = adapters[0]
    if label is None:
        raise DataError(f"{path}: holds results of {adapters}, none of them called {names[-1]!r}")
    return only(results, label)


def checked_results(path: Path) -> BenchmarkResults:
    """Read results of the benchmark, and check the type of everything that a card shows.

    Raises:
        DataError: if the file is too large, or a value is of another type.
    """
    if path.stat().st_size > MOST_BYTES:
        raise DataError(f"{path}: is larger than {MOST_BYTES:,} bytes")
    try:
        results = read_results(path)
    except RecursionError as error:
        raise DataError(f"{path}: holds no benchmark results: it is nested too deep") from error
    problem = _first_problem(results)
    if problem is not None:
        raise DataError(f"{path}: {problem}")
    return results


def only(results: BenchmarkResults, label: str) -> CardResults:
    """The same without other adapters, and without what only pictures need."""
    kept = (BASELINE, label)

    def of_both(figures: dict[str, Any]) -> dict[str, Any]:
        return {name: figures[name] for name in kept if name in figures}

    suites = [
        replace(
            suite,
            figures=of_both(suite.figures),
            traps={trap: of_both(figures) for trap, figures in suite.traps.items()},
            drawings=of_both(suite.drawings),
        )
        for suite in results.suites
    ]
    embedders = of_both(results.embedders)
    return CardResults(replace(results, suites=suites, embedders=embedders), label)


def _first_problem(results: BenchmarkResults) -> str | None:
    made = results.environment
    checks = (
        (isinstance(made, dict) and isinstance(made.get("time"), str), "environment"),
        (isinstance(results.base, str) and isinstance(results.command, str), "base and command"),
        (type(results.seed) is int, "seed"),
        (bool(results.suites) and all(map(_is_suite, results.suites)), "suites"),
        (all(_is_embedder(name, info) for name, info in results.embedders.items()), "embedders"),
    )
    if failed := [what for passed, what in checks if not passed]:
        return f"{failed[0]} are not as the benchmark writes them"
    needed = {BASELINE, *results.embedders}
    for suite in results.suites:
        if suite.figures.keys() != needed or any(t.keys() != needed for t in suite.traps.values()):
            return f"suite {suite.domain!r} has not the figures of every embedder"
    return None


def _is_suite(suite: SuiteResult) -> bool:
    if not isinstance(suite.trap_counts, dict):
        return False
    named = [suite.domain, suite.source, *suite.traps]
    if suite.dev_source is not None:
        named.append(suite.dev_source)
    counted = [suite.triplets, *suite.trap_counts.values()]
    measured = [*suite.figures.values(), *(f for s in suite.traps.values() for f in s.values())]
    return (
        all(_is_name(name) for name in named)
        and all(type(count) is int and 0 < count < 10**9 for count in counted)
        and suite.trap_counts.keys() == suite.traps.keys()
        and isinstance(suite.sha256, str)
        and isinstance(suite.dev_sha256, (str, type(None)))
        and all(_is_figure(figure) for figures in measured for figure in figures.values())
        and all("margin" in f and "cosine_accuracy" in f for f in measured)
    )


def _is_embedder(name: Any, info: EmbedderInfo) -> bool:
    return (
        _is_name(name)
        and isinstance(info.reference, str)
        and isinstance(info.fingerprint, str)
        and bool(re.fullmatch(r"[0-9a-f]{16}", info.fingerprint))
        and isinstance(info.domains, list)
        and all(_is_name(domain) for domain in info.domains)
    )


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and bool(_NAME.match(name))


def _is_figure(figure: Figure) -> bool:
    return all(is_number(number) for number in (figure.value, figure.low, figure.high))
