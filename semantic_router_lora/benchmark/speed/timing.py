"""Timing encoders in turns, so that what the machine does besides hits all of them alike."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from semantic_router_lora.benchmark.speed.peers import Peer
from semantic_router_lora.benchmark.speed.workloads import Workloads

WORKLOADS = ("A", "B", "C p50", "C p99", "D")


@dataclass
class Timings:
    """Seconds of every round, by workload and encoder."""

    seconds: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: {workload: {} for workload in WORKLOADS}
    )

    def add(self, workload: str, peer: str, seconds: float) -> None:
        """Keep the time of one round."""
        self.seconds[workload].setdefault(peer, []).append(seconds)

    def ratios(self, workload: str, peer: str, reference: str) -> list[float]:
        """How many times as fast as the reference, round by round."""
        times, others = self.seconds[workload].get(peer), self.seconds[workload].get(reference)
        if not times or not others:
            return []
        return [other / own for own, other in zip(times, others, strict=True)]


def time_peers(
    peers: Sequence[Peer], workloads: Workloads, rounds: int, progress: Callable[[str], None]
) -> Timings:
    """Time all encoders in every round, in an order that turns from round to round."""
    timings = Timings()
    for peer in peers:  # once before, so that no round pays for what happens only at first
        peer.encode(workloads.queries[:64])
    for number in range(rounds):
        turn = number % len(peers)
        for peer in [*peers[turn:], *peers[:turn]]:
            progress(f"round {number + 1} of {rounds}: {peer.name}")
            timings.add("A", peer.name, _seconds(peer, workloads.queries))
            timings.add("B", peer.name, _seconds(peer, workloads.texts))
            single = [_seconds(peer, [text]) for text in workloads.single]
            timings.add("C p50", peer.name, statistics.median(single))
            timings.add("C p99", peer.name, float(np.quantile(single, 0.99)))
        for name, seconds in _concurrent(peers, workloads.concurrent):
            timings.add("D", name, seconds)
    return timings


def _seconds(peer: Peer, texts: Sequence[str]) -> float:
    start = time.perf_counter()
    peer.encode(texts)
    return time.perf_counter() - start


def _concurrent(peers: Sequence[Peer], texts: Sequence[str]) -> list[tuple[str, float]]:
    """Seconds for one query of each of many callers through a router, for encoders that can."""
    found = []
    for peer in peers:
        router = _router(peer)
        if router is not None:
            asyncio.run(_call(router, texts[:2]))
            found.append((peer.name, min(asyncio.run(_call(router, texts)) for _ in range(3))))
    return found


async def _call(router: Any, texts: Sequence[str]) -> float:
    start = time.perf_counter()
    await asyncio.gather(*[router.acall(text) for text in texts])
    return time.perf_counter() - start


def _router(peer: Peer) -> Any:
    """A router of semantic-router 1.x; the stock encoders of other lines have no ``acall``."""
    import semantic_router

    if peer.encoder is None or not hasattr(semantic_router, "IndexedRouter"):
        return None
    routes = [
        semantic_router.Route(name=f"route {n}", utterances=[f"utterance {n} of it", f"{n} again"])
        for n in range(20)
    ]
    return semantic_router.IndexedRouter(encoder=peer.encoder, routes=routes)
