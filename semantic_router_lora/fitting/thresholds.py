"""Thresholds and calibration from held-out queries."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.fitting.held_out import Choices
from semantic_router_lora.fitting.routes import NONE

# Without queries that no route is right for, a threshold keeps this share of the right choices.
KEPT = 0.95
_LEAST_OF_A_ROUTE = 5  # right choices from which a route gets a threshold of its own
_BINS = 10


@dataclass(frozen=True)
class Calibration:
    """From the score of a choice to how likely it is right: 1 / (1 + exp(−(a·score + b))).

    Platt (1999), with his smoothed targets, as semantic-router 1.x fits its ``Calibrator``.
    """

    a: float
    b: float

    def __call__(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probability for each score."""
        return np.asarray(1 / (1 + np.exp(-(self.a * scores + self.b))), np.float64)


@dataclass(frozen=True)
class Thresholds:
    """From which score or probability a route is chosen at all.

    Attributes:
        score: for every route.
        by_route: of the routes with enough held-out queries, by number.
        calibration: None if all choices were right, or all wrong.
        probability: the least probability; None without calibration.
    """

    score: float
    by_route: dict[int, float]
    calibration: Calibration | None
    probability: float | None


@dataclass(frozen=True)
class Applied:
    """What thresholds make of queries that they were not fitted on.

    Attributes:
        routed: share of the queries with a route that are sent there.
        refused: share of the queries without one that are sent nowhere; None without such queries.
        calibration_error: of the calibrated probability, taken for how likely a choice is right;
            None if it could not be calibrated.
    """

    routed: float
    refused: float | None
    calibration_error: float | None


def apply_thresholds(found: Choices, labels: NDArray[np.intp], folds: NDArray[np.intp]) -> Applied:
    """Apply to each fold what is fitted on the others."""
    accepted = np.zeros(len(folds), bool)
    probabilities: NDArray[np.float64] | None = np.zeros(len(folds))
    for fold in np.unique(folds):
        rest, here = folds != fold, folds == fold
        part = Choices(found.routes[rest], found.scores[rest], found.right[rest])
        fitted = fit_thresholds(part, labels[rest])
        accepted[here] = found.scores[here] >= fitted.score
        if fitted.calibration is None:
            probabilities = None
        elif probabilities is not None:
            probabilities[here] = fitted.calibration(found.scores[here])
    outside = labels == NONE
    return Applied(
        float((accepted & found.right)[~outside].mean()),
        float(1 - accepted[outside].mean()) if outside.any() else None,
        None if probabilities is None else calibration_error(probabilities, found.right),
    )


def fit_thresholds(found: Choices, labels: NDArray[np.intp]) -> Thresholds:
    """Choose them.

    With queries that no route is right for, the threshold is the one with which most queries are
    routed right, "none" included. Without, it is the one that keeps 95 % of the right choices.
    There, routes with five right choices or more get a score of their own, by the same rule. Where
    queries without a route chose the common one, they do not: a router of 0.x goes on to its second
    choice when the first is below its own threshold, and would find a route for more of those.
    """
    outside = labels == NONE
    score = _threshold(found.scores, found.right, outside)
    by_route = {}
    for number in () if outside.any() else np.unique(labels):
        own = found.scores[found.right & (labels == number)]
        if len(own) >= _LEAST_OF_A_ROUTE:
            by_route[int(number)] = _keeping(own)
    calibration = _fit_calibration(found.scores, found.right)
    probability = None
    if calibration is not None:
        probability = _threshold(calibration(found.scores), found.right, outside)
    return Thresholds(score, by_route, calibration, probability)


def _threshold(
    scores: NDArray[np.float64], right: NDArray[np.bool_], outside: NDArray[np.bool_]
) -> float:
    if not outside.any():
        return _keeping(scores[right]) if right.any() else 0.0
    # as many as are right at and above a threshold, and as are rightly refused below it
    candidates, place = np.unique(_floor(scores), return_inverse=True)
    gain = np.bincount(place, right.astype(float) - outside, len(candidates))
    gain = np.cumsum(gain[::-1])[::-1]
    best = len(gain) - 1 - int(gain[::-1].argmax())  # of equals, the one that refuses more
    if gain[best] > 0:
        return float(candidates[best])
    return max(1.0, math.ceil(float(scores.max()) * 1e4 + 1) / 1e4)  # it is best to refuse all


def _keeping(scores: NDArray[np.float64]) -> float:
    """The highest threshold that at least the share `KEPT` of the scores reaches."""
    return float(_floor(np.quantile(scores, [1 - KEPT], method="lower"))[0])


def _floor(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Four decimals, downwards: a query at the threshold stays above it."""
    return np.floor(values * 1e4) / 1e4


def _fit_calibration(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> Calibration | None:
    from scipy.optimize import minimize

    positive, negative = int(right.sum()), int((~right).sum())
    if not positive or not negative:
        return None
    targets = np.where(right, (positive + 1) / (positive + 2), 1 / (negative + 2))

    def loss(parameters: NDArray[np.float64]) -> float:
        logits = parameters[0] * scores + parameters[1]
        return float(np.mean(np.logaddexp(0, logits) - targets * logits))

    fitted = minimize(loss, np.array([1.0, -float(scores.mean())]), method="BFGS").x
    if fitted[0] <= 0:  # a higher score is not more often right: say how often in all
        share = float(targets.mean())
        return Calibration(0.0, math.log(share / (1 - share)))
    return Calibration(float(fitted[0]), float(fitted[1]))


def calibration_error(probabilities: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Expected calibration error over ten bins of equal width (Guo et al. 2017, 1706.04599)."""
    bins = np.clip((probabilities * _BINS).astype(int), 0, _BINS - 1)
    total = 0.0
    for number in range(_BINS):
        here = bins == number
        if here.any():
            gap = abs(float(probabilities[here].mean()) - float(right[here].mean()))
            total += float(here.mean()) * gap
    return total


def out_of_scope_auroc(scores: NDArray[np.float64], labels: NDArray[np.intp]) -> float | None:
    """How well scores part queries with a route from those without; None if one kind is missing."""
    from sklearn.metrics import roc_auc_score

    inside = labels != NONE
    if inside.all() or not inside.any():
        return None
    return float(roc_auc_score(inside, scores))
