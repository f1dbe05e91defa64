"""Replaying a stream of queries through a real cache, at several thresholds."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from semantic_router_lora.benchmark.cache import IndexCache
from semantic_router_lora.data.streams import Query
from semantic_router_lora.embedder import Embedder
from semantic_router_lora.errors import DataError, InputError
from semantic_router_lora.tables import Table

BUDGETS = (0.005, 0.01, 0.02)
DEFAULT_THRESHOLDS = tuple(round(0.60 + 0.02 * step, 2) for step in range(20))
_CHUNK = 2048


@dataclass
class ThresholdOutcome:
    """What a cache with one threshold did.

    Attributes:
        threshold: cosine from which on it served.
        hits: lookups answered rightly.
        false_hits: lookups answered wrongly.
    """

    threshold: float
    hits: int = 0
    false_hits: int = 0


@dataclass
class ReplayResult:
    """What caches with one embedder did on a stream.

    Attributes:
        encoder: label of the embedder.
        reference: of the embedder.
        fingerprint: of the embedder.
        device: that it ran on.
        index: kind of index.
        capacity: most entries of a cache.
        lookups: length of the stream.
        repeated: lookups whose answer had come before: what a perfect cache without limits serves.
        outcomes: one for each threshold, rising.
    """

    encoder: str
    reference: str
    fingerprint: str
    device: str
    index: str
    capacity: int
    lookups: int = 0
    repeated: int = 0
    outcomes: list[ThresholdOutcome] = field(default_factory=list)

    def at_budget(self, budget: float) -> ThresholdOutcome | None:
        """The outcome with most hits whose false hits per lookup keep to the budget."""
        allowed = [o for o in self.outcomes if o.false_hits <= budget * self.lookups]
        return max(allowed, key=lambda outcome: outcome.hits, default=None)


def replay(
    stream: Iterable[Query],
    embedder: Embedder,
    *,
    encoder: str = "",
    thresholds: Sequence[float] = DEFAULT_THRESHOLDS,
    index: str = "local",
    capacity: int = 10_000,
    show_progress: bool = False,
) -> ReplayResult:
    """Send a stream through one cache for each threshold.

    Each query is looked up; if the closest entry is at or above the threshold, its answer is
    served, and otherwise the query is stored with its own. The stream is read and embedded in
    chunks, so that memory depends on capacity and thresholds, not on its length (but for a set of
    the answers' names).

    Raises:
        InputError: if there is no threshold, or one outside [-1, 1].
        DataError: if the stream is empty.
    """
    if not thresholds or not all(-1 <= threshold <= 1 for threshold in thresholds):
        raise InputError(f"thresholds are {list(thresholds)}, expected some from -1 to 1")
    result = ReplayResult(
        encoder,
        embedder.reference,
        embedder.fingerprint,
        str(embedder.device),
        index,
        capacity,
    )
    result.outcomes = [ThresholdOutcome(threshold) for threshold in sorted(thresholds)]
    caches = [IndexCache(index, embedder.dim, capacity) for _ in result.outcomes]
    seen: set[str] = set()
    queries = iter(stream)
    from tqdm.auto import tqdm

    with tqdm(unit="lookup", disable=not show_progress) as bar:
        while chunk := list(itertools.islice(queries, _CHUNK)):
            vectors = embedder.encode([query.text for query in chunk])
            for query, vector in zip(chunk, vectors, strict=True):
                result.lookups += 1
                result.repeated += query.answer in seen
                seen.add(query.answer)
                for cache, outcome in zip(caches, result.outcomes, strict=True):
                    _lookup(cache, outcome, query, vector)
                bar.update()
    if result.lookups == 0:
        raise DataError("the stream holds no queries")
    return result


def _lookup(
    cache: IndexCache,
    outcome: ThresholdOutcome,
    query: Query,
    vector: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> None:
    found = cache.lookup(vector)
    if found is None or found[0] < outcome.threshold:
        cache.store(vector, query.text, query.answer)
    elif found[1] == query.answer:
        outcome.hits += 1
    else:
        outcome.false_hits += 1


def replay_table(results: Sequence[ReplayResult]) -> Table:
    """Right and false hits at each threshold."""
    rows: list[tuple[str, ...]] = []
    for result in results:
        for outcome in result.outcomes:
            served = outcome.hits + outcome.false_hits
            rows.append(
                (
                    result.encoder,
                    f"{outcome.threshold:g}",
                    f"{outcome.hits / result.lookups:.1%}",
                    f"{outcome.false_hits / result.lookups:.1%}",
                    f"{outcome.false_hits / served:.1%}" if served else "–",
                )
            )
    heads = (
        "Encoder",
        "Threshold",
        "Right hits per lookup",
        "False hits per lookup",
        "False share of what was served",
    )
    return Table(f"Replay of {results[0].lookups:,} lookups", heads, rows)


def budget_table(results: Sequence[ReplayResult]) -> Table:
    """The right hits that each encoder gets at a budget of false hits per lookup."""
    rows: list[tuple[str, ...]] = []
    for result in results:
        cells = []
        for budget in BUDGETS:
            best = result.at_budget(budget)
            cells.append(
                f"{best.hits / result.lookups:.1%} (from {best.threshold:g})" if best else "none"
            )
        rows.append((result.encoder, f"{result.repeated / result.lookups:.1%}", *cells))
    heads = ("Encoder", "Perfect cache", *(f"{budget:.1%} false hits" for budget in BUDGETS))
    return Table("Right hits per lookup at a budget of false hits per lookup", heads, rows)
