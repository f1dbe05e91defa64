"""The results of a benchmark run, as they are written to and read from JSON."""

from __future__ import annotations

import json
import math
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from semantic_router_lora.benchmark.measure import Figure
from semantic_router_lora.benchmark.published import published_margins
from semantic_router_lora.benchmark.suite import Suite
from semantic_router_lora.errors import DataError

PACKAGES = ("semantic-router-lora", "semantic-router", "torch", "transformers", "peft", "numpy")
BASELINE = "baseline"
FORMAT = 2

Figures = dict[str, Figure]


@dataclass(frozen=True)
class EmbedderInfo:
    """What was measured: a reference as given, its fingerprint, the domains it was trained on."""

    reference: str
    fingerprint: str
    domains: list[str]


@dataclass(frozen=True)
class Drawing:
    """What plots need of the similarities of one embedder on one suite.

    Attributes:
        positive: counts of cos(anchor, positive) in equal bins from −0.2 to 1.
        negative: the same of cos(anchor, negative).
        hit_ratio: share of lookups served, at falling thresholds.
        precision: share of right answers among them, at the same thresholds.
    """

    positive: list[int]
    negative: list[int]
    hit_ratio: list[float]
    precision: list[float]


@dataclass
class SuiteResult:
    """The figures of every embedder on one suite.

    Attributes:
        domain: of the suite.
        triplets: measured.
        sampled_from: triplets of the suite.
        source: its file.
        sha256: of that file.
        dev_source: file that thresholds were chosen on, if any.
        dev_sha256: of that file.
        published: for the reference system's test sets, the margins that it publishes: baseline,
            domain-specific and multi-domain.
        figures: embedder → metric → figure.
        traps: trap → embedder → metric → figure.
        trap_counts: trap → triplets.
        drawings: embedder → what plots need.
    """

    domain: str
    triplets: int
    sampled_from: int
    source: str
    sha256: str
    dev_source: str | None = None
    dev_sha256: str | None = None
    published: list[str] | None = None
    figures: dict[str, Figures] = field(default_factory=dict)
    traps: dict[str, dict[str, Figures]] = field(default_factory=dict)
    trap_counts: dict[str, int] = field(default_factory=dict)
    drawings: dict[str, Drawing] = field(default_factory=dict)

    @classmethod
    def of(cls, suite: Suite, dev: Suite | None) -> SuiteResult:
        """A result without figures yet."""
        return cls(
            suite.domain,
            len(suite.triplets),
            suite.sampled_from,
            suite.source,
            suite.sha256,
            dev.source if dev else None,
            dev.sha256 if dev else None,
            published_margins().get(suite.domain) if suite.reference else None,
        )


@dataclass(frozen=True)
class BenchmarkResults:
    """All of one run; the embedder called ``baseline`` is the base model alone."""

    command: str
    seed: int
    base: str
    embedders: dict[str, EmbedderInfo]
    suites: list[SuiteResult]
    environment: dict[str, Any]
    format: int = FORMAT

    def to_json(self) -> str:
        """As a JSON document; nan becomes null."""
        return json.dumps(_without_nan(asdict(self)), indent=1, ensure_ascii=False) + "\n"


def _without_nan(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and math.isnan(content) else content


def read_results(path: Path) -> BenchmarkResults:
    """Read what `BenchmarkResults.to_json` wrote.

    Raises:
        DataError: if the file is missing or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.get("format") != FORMAT:
            raise ValueError(f"format is {content.get('format')}, expected {FORMAT}: run it again")
        content["embedders"] = {
            name: EmbedderInfo(**info) for name, info in content["embedders"].items()
        }
        content["suites"] = [_suite_result(suite) for suite in content["suites"]]
        return BenchmarkResults(**content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: holds no benchmark results: {error}") from error


def _suite_result(content: dict[str, Any]) -> SuiteResult:
    return SuiteResult(
        **content
        | {
            "figures": _figures(content["figures"]),
            "traps": {trap: _figures(figures) for trap, figures in content["traps"].items()},
            "drawings": {name: Drawing(**d) for name, d in content["drawings"].items()},
        }
    )


def _figures(figures: dict[str, dict[str, dict[str, float | None]]]) -> dict[str, Figures]:
    return {
        embedder: {
            metric: Figure(**{k: math.nan if v is None else v for k, v in figure.items()})
            for metric, figure in metrics.items()
        }
        for embedder, metrics in figures.items()
    }


def environment(device: str) -> dict[str, Any]:
    """Package versions, hardware and time."""
    import torch

    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "device": device,
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": versions,
    }
