"""An encoder in a process of its own, as its users have it.

Encoders that share a process slow each other down: each keeps a pool of OpenMP threads, and where
those outnumber the processors, all of them sleep between operations.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from semantic_router_lora.benchmark.speed.peers import Peer, build_peer
from semantic_router_lora.benchmark.speed.workloads import Workloads

_WARM_UP = 64

_peer: Peer
_workloads: Workloads
_router: Any


@contextmanager
def served_peer(
    name: str, threads: int, exported: Mapping[str, Path], workloads: Workloads
) -> Iterator[Callable[[], dict[str, float]]]:
    """Start a process with one encoder.

    Gives:
        What times each workload there once and returns seconds, by workload. The first use also
        waits until the encoder is built.
    """
    with ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn"), _build, (name, threads, exported, workloads)
    ) as process:
        process.submit(_warm_up).result()
        yield lambda: process.submit(time_workloads).result()


def _build(name: str, threads: int, exported: Mapping[str, Path], workloads: Workloads) -> None:
    global _peer, _workloads, _router
    _peer, _workloads = build_peer(name, threads, exported), workloads
    _router = _make_router(_peer)


def _warm_up() -> None:
    """Do once before what would make the first round pay for what happens only at first."""
    _peer.encode(_workloads.queries[:_WARM_UP])
    for text in _workloads.queries[:_WARM_UP]:
        _peer.encode([text])
    if _router is not None:
        asyncio.run(_call(_workloads.concurrent[:2]))


def time_workloads() -> dict[str, float]:
    """Seconds of each workload; of D the best of three, where the encoder can be in a router."""
    found = {"A": _seconds(_workloads.queries), "B": _seconds(_workloads.texts)}
    single = [_seconds([text]) for text in _workloads.single]
    found["C p50"] = statistics.median(single)
    found["C p99"] = float(np.quantile(single, 0.99))
    if _router is not None:
        found["D"] = min(asyncio.run(_call(_workloads.concurrent)) for _ in range(3))
    return found


def _seconds(texts: Sequence[str]) -> float:
    start = time.perf_counter()
    _peer.encode(texts)
    return time.perf_counter() - start


async def _call(texts: Sequence[str]) -> float:
    """Seconds for one query of each of many callers through a router."""
    start = time.perf_counter()
    await asyncio.gather(*[_router.acall(text) for text in texts])
    return time.perf_counter() - start


def _make_router(peer: Peer) -> Any:
    """A router of semantic-router 1.x; the stock encoders of other lines have no ``acall``."""
    import semantic_router

    if peer.encoder is None or not hasattr(semantic_router, "IndexedRouter"):
        return None
    routes = [
        semantic_router.Route(name=f"route {n}", utterances=[f"utterance {n} of it", f"{n} again"])
        for n in range(20)
    ]
    return semantic_router.IndexedRouter(encoder=peer.encoder, routes=routes)
