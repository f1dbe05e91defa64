"""What a threshold and a calibration that were chosen on dev do on test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from semantic_router_lora.benchmark.metrics import curve
from semantic_router_lora.benchmark.similarities import Floats, Similarities

# Most negatives of dev that the chosen threshold may serve.
DEV_FALSE_HIT_RATE = 0.05
_BINS = 10


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and a Platt scaling, both fitted on dev and fixed from there on.

    Attributes:
        threshold: cosine from which on a cache serves.
        slope: of the logit of P(same answer) over the cosine.
        intercept: of that logit.
    """

    threshold: float
    slope: float
    intercept: float

    def precision(self, similarities: Similarities, weights: Floats) -> Floats:
        """Share of right answers among those served; nan where nothing is served."""
        hits, false_hits = self._served(similarities, weights)
        with np.errstate(invalid="ignore"):
            return np.asarray(hits / (hits + false_hits))

    def recall(self, similarities: Similarities, weights: Floats) -> Floats:
        """Share of positives that are served."""
        return np.asarray(self._served(similarities, weights)[0] / weights.sum(axis=1))

    def false_hit_rate(self, similarities: Similarities, weights: Floats) -> Floats:
        """Share of negatives that are served, each of them a wrong answer."""
        return np.asarray(self._served(similarities, weights)[1] / weights.sum(axis=1))

    def calibration_error(self, similarities: Similarities, weights: Floats) -> Floats:
        """Expected calibration error: mean |confidence − accuracy| over ten equal bins.

        After Guo et al. 2017 (arXiv 1706.04599), over all pairs, with P from the Platt scaling.
        """
        scores = np.concatenate([similarities.positive, similarities.negative])
        confidence = 1 / (1 + np.exp(-(self.slope * scores + self.intercept)))
        labels = np.repeat([1.0, 0.0], len(similarities.positive))
        bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
        in_bin = bins[:, None] == np.arange(_BINS)
        counts = np.tile(weights, 2)
        gap = (counts * (confidence - labels)) @ in_bin.astype(np.float64)
        return np.asarray(np.abs(gap).sum(axis=1) / counts.sum(axis=1))

    def _served(self, similarities: Similarities, weights: Floats) -> tuple[Floats, Floats]:
        return (
            np.asarray(weights @ (similarities.positive >= self.threshold)),
            np.asarray(weights @ (similarities.negative >= self.threshold)),
        )


def choose_threshold(dev: Similarities, false_hit_rate: float = DEV_FALSE_HIT_RATE) -> float:
    """The lowest threshold that serves no more than this share of dev's negatives.

    Returns:
        A cosine half way to the next pair that must not be served, so that the choice does not
        hang on the last digit of one pair.
    """
    counts = curve(dev, np.ones((1, len(dev.positive))))
    allowed = np.flatnonzero(counts.false_hits[0] <= false_hit_rate * counts.total[0])
    if len(allowed) == 0:
        return float(np.nextafter(counts.thresholds[0], 2))  # even the closest pair is a negative
    last = int(allowed[-1])
    following = counts.thresholds[last + 1] if last + 1 < len(counts.thresholds) else -1.0
    return float((counts.thresholds[last] + following) / 2)


def fit_operating_point(dev: Similarities) -> OperatingPoint:
    """Choose the threshold and fit the Platt scaling (Platt 1999) on dev."""
    from sklearn.linear_model import LogisticRegression

    scores = np.concatenate([dev.positive, dev.negative])[:, None]
    labels = np.repeat([1, 0], len(dev.positive))
    model = LogisticRegression(C=np.inf).fit(scores, labels)
    return OperatingPoint(
        choose_threshold(dev), float(model.coef_[0, 0]), float(model.intercept_[0])
    )
