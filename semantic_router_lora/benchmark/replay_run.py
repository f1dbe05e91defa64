"""Replay runs: from files and references to results, and to JSON and back."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from semantic_router_lora.adapters.resolve import bundled_adapters
from semantic_router_lora.base_models import file_sha256
from semantic_router_lora.benchmark.replay import (
    DEFAULT_THRESHOLDS,
    ReplayResult,
    ThresholdOutcome,
    replay,
)
from semantic_router_lora.benchmark.results import (
    BASELINE,
    BenchmarkResults,
    environment,
    read_results,
)
from semantic_router_lora.benchmark.suite import DOMAINS, GENERAL, bundled_file, load_suites
from semantic_router_lora.data.pairs import holds_triplets
from semantic_router_lora.data.streams import Query, read_stream, triplet_stream
from semantic_router_lora.data.triplets import read_triplets
from semantic_router_lora.embedder import Embedder
from semantic_router_lora.errors import DataError
from semantic_router_lora.reference import ModelReference


def run_replays(
    streams: Sequence[Path],
    *,
    base: str,
    adapters: Sequence[str] | None = None,
    index: str = "local",
    capacity: int = 10_000,
    thresholds: Sequence[float] | None = None,
    seed: int = 42,
    device: str = "auto",
    show_progress: bool = False,
) -> list[ReplayResult]:
    """Replay a stream with a base model and each adapter (by default: each bundled one).

    Without files, the stream is made of the bundled test triplets. Options as for `replay`.
    """
    results = []
    for name in (None, *(bundled_adapters() if adapters is None else adapters)):
        result = replay(
            _queries(streams, seed),
            Embedder(base, name, device=device),
            encoder=BASELINE if name is None else Path(name).name,
            thresholds=thresholds or DEFAULT_THRESHOLDS,
            index=index,
            capacity=capacity,
            show_progress=show_progress,
        )
        result.reference = str(ModelReference(base, name))  # as given, not where it lies here
        results.append(result)
    return results


def _queries(streams: Sequence[Path], seed: int) -> Iterable[Query]:
    if streams:
        return itertools.chain.from_iterable(_stream(path, seed) for path in streams)
    suites = load_suites(["bundled"])
    return triplet_stream((t for suite in suites for t in suite.triplets), seed)


def _stream(path: Path, seed: int) -> Iterable[Query]:
    if holds_triplets(path):
        return triplet_stream(read_triplets(path), seed, str(path))
    return read_stream(path)


def replays_to_json(
    results: Sequence[ReplayResult], command: str, seed: int, streams: Sequence[Path] = ()
) -> str:
    """As a JSON document; without streams, they are the bundled test triplets."""
    files = streams or [bundled_file(domain, "test") for domain in (*DOMAINS, GENERAL)]
    content = {
        "command": command,
        "seed": seed,
        "streams": {path.name: file_sha256(path) for path in files},
        "environment": environment(results[0].device),
        "replays": [asdict(result) for result in results],
    }
    return json.dumps(content, indent=1) + "\n"


def read_replays(path: Path) -> list[ReplayResult]:
    """Read what `replays_to_json` wrote.

    Raises:
        DataError: if the file is missing or holds something else.
    """
    try:
        replays = json.loads(path.read_text(encoding="utf-8"))["replays"]
        return [
            ReplayResult(**r | {"outcomes": [ThresholdOutcome(**o) for o in r["outcomes"]]})
            for r in replays
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: holds no replay results: {error}") from error


def _is_replay(path: Path) -> bool:
    try:
        return "replays" in json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False  # what it is then, read_results says


def read_any(paths: Sequence[Path]) -> tuple[BenchmarkResults | None, list[ReplayResult]]:
    """Read at most one benchmark result and any number of replay results.

    Raises:
        DataError: if a file is neither, or there are two benchmark results.
    """
    measured: BenchmarkResults | None = None
    replays: list[ReplayResult] = []
    for path in paths:
        if _is_replay(path):
            replays += read_replays(path)
        elif measured is None:
            measured = read_results(path)
        else:
            raise DataError(f"{path}: a second benchmark result; use benchmark compare")
    return measured, replays
