"""What held-out queries say: which scoring serves, and whether the adapter routes better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.fitting.routes import NONE
from semantic_router_lora.fitting.scores import ByWeight, Scoring

_RESAMPLES = 2000


@dataclass(frozen=True)
class HeldOut:
    """Queries that an encoder was not trained on, with what it finds for them.

    Attributes:
        texts: the queries.
        labels: int (queries,), the right route of each, or `NONE`.
        folds: int (queries,), the fold that each was held out in.
        before: neighbours with the encoder to start from.
        after: neighbours with the encoder that was trained without them.
    """

    texts: tuple[str, ...]
    labels: NDArray[np.intp]
    folds: NDArray[np.intp]
    before: ByWeight
    after: ByWeight

    @property
    def parts(self) -> NDArray[np.intp]:
        """The folds, or halves of a lone one: what is chosen on some is applied to the other."""
        if len(np.unique(self.folds)) > 1:
            return self.folds
        return np.asarray(np.arange(len(self.folds)) % 2, np.intp)


@dataclass(frozen=True)
class Choices:
    """What a router chose for held-out queries.

    Attributes:
        routes: int (queries,).
        scores: float64 (queries,).
        right: bool (queries,); False where no route is right.
    """

    routes: NDArray[np.intp]
    scores: NDArray[np.float64]
    right: NDArray[np.bool_]


def choices(held_out: HeldOut, neighbours: ByWeight, scorings: Sequence[Scoring]) -> Choices:
    """Choose with the scoring that treats most queries of the other folds right.

    A lone fold is cut in two; of a lone query, the first scoring is taken.
    """
    labels, parts = held_out.labels, held_out.parts
    found = [scoring.choose(neighbours[scoring.centroid_weight]) for scoring in scorings]
    routes, scores = found[0][0].copy(), found[0][1].copy()
    for part in np.unique(parts):
        here = parts == part
        worth = [_treated_right(chosen[~here], at[~here], labels[~here]) for chosen, at in found]
        best = int(np.argmax(worth))
        routes[here], scores[here] = (chosen[here] for chosen in found[best])
    return Choices(routes, scores, (routes == labels) & (labels != NONE))


def best_scoring(held_out: HeldOut, neighbours: ByWeight, scorings: Sequence[Scoring]) -> Scoring:
    """The scoring that treats most of all held-out queries right, the first of equals."""
    found = [scoring.choose(neighbours[scoring.centroid_weight]) for scoring in scorings]
    worth = [_treated_right(routes, scores, held_out.labels) for routes, scores in found]
    return scorings[int(np.argmax(worth))]


def _treated_right(
    routes: NDArray[np.intp], scores: NDArray[np.float64], labels: NDArray[np.intp]
) -> int:
    """How many queries get their route, or none where none is right, at the best threshold.

    Without queries of the second kind there is no threshold to choose, and every choice counts.
    """
    outside = labels == NONE
    right = (routes == labels) & ~outside
    if not outside.any():
        return int(right.sum())
    gain = np.cumsum((right.astype(int) - outside)[np.argsort(-scores, kind="stable")])
    return int(max(0, gain.max()) + outside.sum())


@dataclass(frozen=True)
class Rise:
    """How much more often one router is right than another.

    Attributes:
        before: share of held-out queries with a route that the other one routed right.
        after: share that the one did.
        low: lower end of the 95 % interval of the difference, by paired bootstrap over queries.
        high: its upper end.
        queries: how many queries there were.
    """

    before: float
    after: float
    low: float
    high: float
    queries: int

    @property
    def is_positive(self) -> bool:
        """Whether there is a rise at all, be it by chance."""
        return self.after > self.before

    @property
    def holds(self) -> bool:
        """Whether the rise is more than its interval: zero lies below it."""
        return self.low > 0

    def __str__(self) -> str:
        low, high = f"{self.low:+.3f}", f"{self.high:+.3f}"
        return f"{self.after - self.before:+.3f}, 95 % interval {low} to {high}"


def rise(before: Choices, after: Choices, labels: NDArray[np.intp], seed: int) -> Rise:
    """Compare two choices on the queries that have a route."""
    inside = labels != NONE
    first, second = before.right[inside].astype(float), after.right[inside].astype(float)
    rng = np.random.default_rng(seed)
    difference = second - first
    draws = rng.multinomial(
        len(difference), np.full(len(difference), 1 / len(difference)), size=_RESAMPLES
    )
    low, high = np.quantile(draws @ difference / len(difference), [0.025, 0.975])
    return Rise(float(first.mean()), float(second.mean()), float(low), float(high), len(difference))
