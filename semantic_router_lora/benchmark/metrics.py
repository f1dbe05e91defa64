"""Figures of merit over the similarities of triplets, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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


Metric = Callable[[Similarities, Floats], Floats]


def margin(similarities: Similarities, weights: Floats) -> Floats:
    """Mean of cos(anchor, positive) − cos(anchor, negative); 2 at best, −2 at worst.

    Args:
        similarities: of n triplets.
        weights: float64 (m, n), how often each triplet counts in each of m samples.

    Returns:
        float64 (m,), one value a sample; so do all metrics.
    """
    difference = similarities.positive - similarities.negative
    return np.asarray(weights @ difference / weights.sum(axis=1))


def cosine_accuracy(similarities: Similarities, weights: Floats) -> Floats:
    """Share of triplets whose positive is strictly closer to the anchor than the negative."""
    right = (similarities.positive > similarities.negative).astype(np.float64)
    return np.asarray(weights @ right / weights.sum(axis=1))


def average_precision(similarities: Similarities, weights: Floats) -> Floats:
    """Average precision of telling positive from negative pairs by their cosine alone.

    One threshold must serve all anchors, as in a cache, so that this can be low where cosine
    accuracy is high. Equals scikit-learn's ``average_precision_score``, for many samples at once:
    the sum over thresholds of precision × gain in recall.
    """
    scores = np.concatenate([similarities.positive, similarities.negative])
    order = np.argsort(-scores, kind="stable")
    pairs = len(similarities.positive)
    is_positive = order < pairs
    counts = weights[:, order % pairs]
    # pairs of equal cosine pass a threshold together: look only behind the last of them
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    hits = np.cumsum(counts * is_positive, axis=1)[:, ends]
    served = np.cumsum(counts, axis=1)[:, ends]
    precision = hits / np.maximum(served, 1)
    gain = np.diff(hits, axis=1, prepend=0) / weights.sum(axis=1, keepdims=True)
    return np.asarray((precision * gain).sum(axis=1))


METRICS: dict[str, Metric] = {
    "margin": margin,
    "cosine_accuracy": cosine_accuracy,
    "average_precision": average_precision,
}


def measure(similarities: Similarities, seed: int) -> dict[str, Figure]:
    """All metrics with intervals.

    Whole triplets are drawn, so that a positive and a negative of one anchor stay together.
    """
    n = len(similarities.positive)
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    figures = {}
    for name, metric in METRICS.items():
        value = metric(similarities, np.ones((1, n)))[0]
        low, high = np.quantile(metric(similarities, draws.astype(np.float64)), [0.025, 0.975])
        figures[name] = Figure(float(value), float(low), float(high))
    return figures
