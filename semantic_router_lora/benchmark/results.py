"""The results of a benchmark run, as they are written to and read from JSON."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from semantic_router_lora.benchmark.metrics import Figure
from semantic_router_lora.benchmark.suite import Suite
from semantic_router_lora.errors import DataError

PACKAGES = ("semantic-router-lora", "semantic-router", "torch", "transformers", "peft", "numpy")


@dataclass(frozen=True)
class EmbedderInfo:
    """What was measured: a reference, its fingerprint, the domains it was trained on."""

    reference: str
    fingerprint: str
    domains: list[str]


@dataclass
class DomainResult:
    """The figures of every embedder on one suite: embedder → metric → figure."""

    domain: str
    triplets: int
    sampled_from: int
    source: str
    sha256: str
    figures: dict[str, dict[str, Figure]] = field(default_factory=dict)

    @classmethod
    def of(cls, suite: Suite) -> DomainResult:
        """A result without figures yet."""
        return cls(
            suite.domain, len(suite.triplets), suite.sampled_from, suite.source, suite.sha256
        )


@dataclass(frozen=True)
class BenchmarkResults:
    """All of one run; the first embedder is the baseline."""

    command: str
    seed: int
    base: str
    embedders: dict[str, EmbedderInfo]
    domains: list[DomainResult]
    environment: dict[str, Any]

    def to_json(self) -> str:
        """As a JSON document."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


def read_results(path: Path) -> BenchmarkResults:
    """Read what `BenchmarkResults.to_json` wrote.

    Raises:
        DataError: if the file is missing or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["embedders"] = {
            name: EmbedderInfo(**info) for name, info in content["embedders"].items()
        }
        content["domains"] = [
            DomainResult(**domain | {"figures": _figures(domain["figures"])})
            for domain in content["domains"]
        ]
        return BenchmarkResults(**content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: holds no benchmark results: {error}") from error


def _figures(figures: dict[str, dict[str, dict[str, float]]]) -> dict[str, dict[str, Figure]]:
    return {
        embedder: {metric: Figure(**figure) for metric, figure in metrics.items()}
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
