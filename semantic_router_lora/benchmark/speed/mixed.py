"""What it costs that rows of a batch use different adapters."""

from __future__ import annotations

import time
from collections.abc import Sequence

from semantic_router_lora.adapters.resolve import bundled_adapters
from semantic_router_lora.benchmark.speed.peers import ADAPTER
from semantic_router_lora.embedder import Embedder


def mixed_ratio(queries: Sequence[str], threads: int, rounds: int) -> list[float]:
    """Workload F: rate of texts with the bundled adapters in turn / rate with one merged, by round.

    The adapters lie beside the base's own weights, so that every row pays for its adapter.
    """
    merged = Embedder(adapter=ADAPTER, threads=threads)
    base = merged.reference.split("+lora:")[0]
    shared = Embedder(base, threads=threads)
    names = bundled_adapters()
    adapters = [names[number % len(names)] for number in range(len(queries))]
    shared.encode(queries[: len(names)], adapters=adapters[: len(names)])
    merged.encode(queries[:8])
    ratios = []
    for _ in range(rounds):
        start = time.perf_counter()
        merged.encode(queries)
        middle = time.perf_counter()
        shared.encode(queries, adapters=adapters)
        ratios.append((middle - start) / (time.perf_counter() - middle))
    return ratios
