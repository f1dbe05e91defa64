"""Figures of merit over the similarities of triplets.

Every metric is computed for m samples of the triplets at once: ``weights``, float64 (m, n), says
how often each of n triplets counts in each sample, and the result is float64 (m,). One row of ones
gives the plain value, rows of bootstrap counts give its distribution.

A triplet is two lookups in a cache that holds the anchor: the positive should be served (a hit),
the negative should not (a false hit). One threshold serves all anchors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from semantic_router_lora.benchmark.similarities import Floats, Similarities


@dataclass(frozen=True)
class Curve:
    """What is served at each threshold, in m samples.

    Attributes:
        thresholds: float64 (k,), the different cosines, falling.
        hits: float64 (m, k), positives at or above the threshold.
        false_hits: float64 (m, k), negatives at or above it.
        total: float64 (m, 1), number of triplets, which is that of positives and of negatives.
    """

    thresholds: Floats
    hits: Floats
    false_hits: Floats
    total: Floats

    @property
    def precision(self) -> Floats:
        """Share of hits among what is served."""
        return np.asarray(self.hits / np.maximum(self.hits + self.false_hits, 1))


def curve(similarities: Similarities, weights: Floats) -> Curve:
    """Count hits and false hits at every threshold."""
    scores = np.concatenate([similarities.positive, similarities.negative])
    order = np.argsort(-scores, kind="stable")
    triplets = len(similarities.positive)
    counts = weights[:, order % triplets]
    # pairs of equal cosine pass a threshold together: look only behind the last of them
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    is_positive = order < triplets
    return Curve(
        scores[order][ends],
        np.cumsum(counts * is_positive, axis=1)[:, ends],
        np.cumsum(counts * ~is_positive, axis=1)[:, ends],
        weights.sum(axis=1, keepdims=True),
    )


def margin(similarities: Similarities, weights: Floats) -> Floats:
    """Mean of cos(anchor, positive) − cos(anchor, negative); 2 at best, −2 at worst."""
    difference = similarities.positive - similarities.negative
    return np.asarray(weights @ difference / weights.sum(axis=1))


def standardized_margin(similarities: Similarities, weights: Floats) -> Floats:
    """The margin over the pooled standard deviation of both kinds of cosine (Cohen's d).

    Unlike the margin, it does not grow when all cosines are merely spread out. nan without any
    spread.
    """
    total = weights.sum(axis=1)

    def variance(values: Floats) -> Floats:
        centred = values - values.mean()
        mean = weights @ centred / total
        return np.asarray(np.maximum(weights @ centred**2 / total - mean**2, 0))

    spread = np.sqrt((variance(similarities.positive) + variance(similarities.negative)) / 2)
    known = spread > 1e-9
    return np.asarray(
        np.where(known, margin(similarities, weights) / np.where(known, spread, 1), np.nan)
    )


def cosine_accuracy(similarities: Similarities, weights: Floats) -> Floats:
    """Share of triplets whose positive is strictly closer to the anchor than the negative."""
    right = (similarities.positive > similarities.negative).astype(np.float64)
    return np.asarray(weights @ right / weights.sum(axis=1))


def average_precision(counts: Curve) -> Floats:
    """Sum over thresholds of precision × gain in recall, as scikit-learn computes it."""
    gain = np.diff(counts.hits, axis=1, prepend=0) / counts.total
    return np.asarray((counts.precision * gain).sum(axis=1))


def roc_auc(counts: Curve) -> Floats:
    """Area under hit rate of positives against that of negatives: 0.5 is chance."""
    recall = np.pad(counts.hits / counts.total, ((0, 0), (1, 0)))
    gain = np.diff(counts.false_hits / counts.total, axis=1, prepend=0)
    return np.asarray((gain * (recall[:, 1:] + recall[:, :-1]) / 2).sum(axis=1))


def _f1(counts: Curve) -> Floats:
    return np.asarray(2 * counts.hits / (counts.hits + counts.false_hits + counts.total))


def best_f1(counts: Curve) -> Floats:
    """Largest harmonic mean of precision and recall at any threshold."""
    return np.asarray(_f1(counts).max(axis=1))


def best_f1_threshold(counts: Curve) -> Floats:
    """The threshold of `best_f1`: it was chosen on the data that it is reported for."""
    return np.asarray(counts.thresholds[_f1(counts).argmax(axis=1)])


def recall_at(false_hit_rate: float) -> Callable[[Curve], Floats]:
    """Share of positives served at the lowest threshold that serves so few of the negatives."""

    def metric(counts: Curve) -> Floats:
        allowed = counts.false_hits <= false_hit_rate * counts.total
        return np.asarray(np.where(allowed, counts.hits / counts.total, 0).max(axis=1))

    return metric


def p_chr_auc(counts: Curve) -> Floats:
    """Area under precision against cache-hit ratio, the share of all lookups that is served.

    After P-CHR AUC of arXiv 2606.19719: sum over thresholds of precision × gain in hit ratio.
    """
    served = counts.hits + counts.false_hits
    gain = np.diff(served, axis=1, prepend=0) / (2 * counts.total)
    return np.asarray((counts.precision * gain).sum(axis=1))


def crr(counts: Curve) -> Floats:
    """P-CHR AUC / average precision (calibration retention rate, arXiv 2606.19719)."""
    return np.asarray(p_chr_auc(counts) / np.maximum(average_precision(counts), 1e-12))


TRIPLET_METRICS: dict[str, Callable[[Similarities, Floats], Floats]] = {
    "margin": margin,
    "standardized_margin": standardized_margin,
    "cosine_accuracy": cosine_accuracy,
}
CURVE_METRICS: dict[str, Callable[[Curve], Floats]] = {
    "average_precision": average_precision,
    "roc_auc": roc_auc,
    "best_f1": best_f1,
    "best_f1_threshold": best_f1_threshold,
    "recall_at_1_false_hits": recall_at(0.01),
    "recall_at_5_false_hits": recall_at(0.05),
    "p_chr_auc": p_chr_auc,
    "crr": crr,
}
