"""All figures of a set of similarities, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from semantic_router_lora.benchmark.metrics import CURVE_METRICS, TRIPLET_METRICS, curve
from semantic_router_lora.benchmark.operating_point import OperatingPoint
from semantic_router_lora.benchmark.similarities import Floats, Similarities

RESAMPLES = 1000
# Shares of independent triplets or lookups; of none observed, a bootstrap would say none for sure.
SHARES = ("cosine_accuracy", "precision", "recall", "false_hit_rate")
# Cells of the matrices of one step: bounds memory (a few hundred MB) on long suites.
_CELLS = 4_000_000


@dataclass(frozen=True)
class Figure:
    """A value and its 95 % interval: percentile bootstrap over triplets, or Wilson's for a share.

    ``nan`` stands where a figure has no value, such as the precision where nothing was served.
    """

    value: float
    low: float
    high: float


def measure(
    similarities: Similarities, *, seed: int, point: OperatingPoint | None = None
) -> dict[str, Figure]:
    """All metrics with intervals; those at a frozen threshold only if there is one.

    Whole triplets are drawn, so that a positive and a negative of one anchor stay together.
    """
    triplets = len(similarities.positive)
    values = _all_metrics(similarities, np.ones((1, triplets)), point)
    rng = np.random.default_rng(seed)
    step = max(1, _CELLS // (2 * triplets))
    blocks = []
    for start in range(0, RESAMPLES, step):
        size = min(step, RESAMPLES - start)
        draws = rng.multinomial(triplets, np.full(triplets, 1 / triplets), size=size)
        blocks.append(_all_metrics(similarities, draws.astype(np.float64), point))
    figures = {}
    for name, value in values.items():
        sampled = np.concatenate([block[name] for block in blocks])
        known = sampled[~np.isnan(sampled)]
        low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (np.nan, np.nan)
        if name in SHARES:
            low, high = wilson(value[0], _base_of(name, similarities, point))
        figures[name] = Figure(*(round(float(number), 6) for number in (value[0], low, high)))
    return figures


def _base_of(name: str, similarities: Similarities, point: OperatingPoint | None) -> int:
    """Of how many lookups or triplets a share is taken."""
    if name != "precision" or point is None:
        return len(similarities.positive)
    served = (similarities.positive >= point.threshold, similarities.negative >= point.threshold)
    return int(served[0].sum() + served[1].sum())


def wilson(share: float, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927): unlike the bootstrap's, it has a width at 0 and 1."""
    if count == 0:
        return (np.nan, np.nan)
    z = 1.959964
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return (max(0.0, centre - half), min(1.0, centre + half))


def _all_metrics(
    similarities: Similarities, weights: Floats, point: OperatingPoint | None
) -> dict[str, Floats]:
    found = {name: metric(similarities, weights) for name, metric in TRIPLET_METRICS.items()}
    counts = curve(similarities, weights)
    found |= {name: metric(counts) for name, metric in CURVE_METRICS.items()}
    if point is not None:
        frozen: dict[str, Callable[[Similarities, Floats], Floats]] = {
            "precision": point.precision,
            "recall": point.recall,
            "false_hit_rate": point.false_hit_rate,
            "calibration_error": point.calibration_error,
        }
        found["threshold"] = np.full(len(weights), point.threshold)
        found |= {name: metric(similarities, weights) for name, metric in frozen.items()}
    return found
