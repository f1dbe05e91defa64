"""How a router chooses: by the similarity of a query to the utterances that it finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.centroids import towards_centroids

AGGREGATIONS = ("mean", "max", "sum")
DEFAULT_TOP_K = 5
MOST_NEIGHBOURS = 20  # kept of a query; no router is fitted that looks at more
_CELLS = 20_000_000  # similarities in memory at a time


@dataclass(frozen=True)
class Neighbours:
    """The utterances nearest to each query, the nearest first.

    Attributes:
        similarities: float32 (queries, at most `MOST_NEIGHBOURS`), cosines.
        labels: int, of the same shape: the route of each.
    """

    similarities: NDArray[np.float32]
    labels: NDArray[np.intp]

    @classmethod
    def of(
        cls,
        queries: NDArray[np.float32],
        utterances: NDArray[np.float32],
        labels: NDArray[np.intp],
    ) -> Neighbours:
        """Find them.

        Args:
            queries: (queries, dim), of unit length.
            utterances: (utterances, dim), of unit length.
            labels: (utterances,), the route of each.
        """
        k = min(MOST_NEIGHBOURS, len(utterances))
        found = [_nearest(part @ utterances.T, k) for part in _parts(queries, len(utterances))]
        if not found:
            return cls(np.zeros((0, k), np.float32), np.zeros((0, k), np.intp))
        places = np.concatenate([place for place, _ in found])
        return cls(np.concatenate([values for _, values in found]), labels[places])


@dataclass(frozen=True)
class Scoring:
    """What a router makes of the utterances nearest to a query.

    Attributes:
        top_k: how many of them it looks at.
        aggregation: what it makes of the similarities of a route's utterances among them.
        centroid_weight: share of the route's centroid in its utterances' vectors, see
            `towards_centroids`; it is for `Neighbours` that were found so.
        best_passes: whether thresholds are compared with the best of these similarities, as in
            semantic-router 0.0.x, and not with what was made of them.
    """

    top_k: int = DEFAULT_TOP_K
    aggregation: str = "mean"
    centroid_weight: float = 0.0
    best_passes: bool = False

    def choose(self, neighbours: Neighbours) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """The route of each query by the rule of semantic-router, and what thresholds are for.

        A route that is not found scores 0 there, and would win over found ones that all score
        less; that is not followed.

        Returns:
            int and float64, (queries,) each.
        """
        values = neighbours.similarities[:, : self.top_k].astype(np.float64)
        labels = neighbours.labels[:, : self.top_k]
        same = labels[:, :, None] == labels[:, None, :]
        highest = np.where(same, values[:, None, :], -np.inf).max(axis=2)
        if self.aggregation == "max":
            scores = highest
        else:
            scores = (same * values[:, None, :]).sum(axis=2)
            if self.aggregation == "mean":
                scores /= same.sum(axis=2)
        best = scores.argmax(axis=1)
        rows = np.arange(len(best))
        return labels[rows, best], (highest if self.best_passes else scores)[rows, best]


# Neighbours of the same queries by the centroid weight of the utterances' vectors.
ByWeight: TypeAlias = Mapping[float, Neighbours]

CENTROID_WEIGHTS = (0.0, 0.5, 0.7)
# What may be chosen for a router whose file can hold it.
SCORINGS = (
    Scoring(5, "mean"),
    Scoring(5, "max"),
    Scoring(5, "sum"),
    Scoring(3, "mean"),
    Scoring(10, "sum"),
    Scoring(5, "max", 0.5),
    Scoring(5, "max", 0.7),
    Scoring(5, "mean", 0.7),
)


def neighbours_by_weight(
    queries: NDArray[np.float32],
    utterances: NDArray[np.float32],
    labels: NDArray[np.intp],
    weights: Iterable[float],
) -> dict[float, Neighbours]:
    """`Neighbours.of`, for each centroid weight of the utterances' vectors."""
    return {
        weight: Neighbours.of(queries, towards_centroids(utterances, labels, weight), labels)
        for weight in weights
    }


def _parts(queries: NDArray[np.float32], utterances: int) -> Iterator[NDArray[np.float32]]:
    step = max(1, _CELLS // max(1, utterances))
    for start in range(0, len(queries), step):
        yield queries[start : start + step]


def _nearest(
    similarities: NDArray[np.float32], k: int
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    places = np.argpartition(similarities, -k, axis=1)[:, -k:]
    values = np.take_along_axis(similarities, places, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1), np.take_along_axis(values, order, axis=1)
