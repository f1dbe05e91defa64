"""Figures of merit over the similarities of triplets, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

Floats = NDArray[np.float64]
RESAMPLES = 1000


@dataclass(frozen=True)
class Figure:
    """A value and its 95 % interval (percentile bootstrap over triplets)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Similarities:
    """Cosines of n triplets.

    Attributes:
        positive: float64 (n,), cos(anchor, positive).
        negative: float64 (n,), cos(anchor, negative).
    """

    positive: Floats
    negative: Floats


def margin(positive: Floats, negative: Floats) -> float:
    """Mean of cos(anchor, positive) − cos(anchor, negative); 2 at best, −2 at worst."""
    return float(np.mean(positive - negative))


def cosine_accuracy(positive: Floats, negative: Floats) -> float:
    """Share of triplets whose positive is strictly closer to the anchor than the negative."""
    return float(np.mean(positive > negative))


def average_precision(positive: Floats, negative: Floats) -> float:
    """Average precision of telling positive from negative pairs by their cosine alone.

    One threshold must serve all anchors, as in a cache, so that this can be low where cosine
    accuracy is high.
    """
    labels = np.concatenate([np.ones(len(positive)), np.zeros(len(negative))])
    return float(average_precision_score(labels, np.concatenate([positive, negative])))


METRICS: dict[str, Callable[[Floats, Floats], float]] = {
    "margin": margin,
    "cosine_accuracy": cosine_accuracy,
    "average_precision": average_precision,
}


def measure(similarities: Similarities, seed: int) -> dict[str, Figure]:
    """All metrics with intervals.

    Whole triplets are drawn, so that a positive and a negative of one anchor stay together.
    """
    positive, negative = similarities.positive, similarities.negative
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(positive), size=(RESAMPLES, len(positive)))
    figures = {}
    for name, metric in METRICS.items():
        resampled = [metric(positive[rows], negative[rows]) for rows in draws]
        low, high = np.quantile(resampled, [0.025, 0.975])
        figures[name] = Figure(metric(positive, negative), float(low), float(high))
    return figures
