"""A threshold that keeps false hits below a budget, with what can be said for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semantic_router_lora.benchmark.measure import wilson
from semantic_router_lora.benchmark.similarities import Floats
from semantic_router_lora.data.pairs import Pair, distinct_pairs
from semantic_router_lora.embedder import Embedder
from semantic_router_lora.errors import DataError, InputError

CONFIDENCE = 0.95
_FEWEST_POSITIVES = 20


@dataclass(frozen=True)
class Calibration:
    """A threshold and what to expect of it; intervals are 95 %.

    Attributes:
        threshold: serve from this cosine on.
        threshold_interval: of the cosine that as large a share of all such negatives lies above as
            is served here, see `quantile_interval`; None where so few negatives are served that
            they give no upper end.
        hit_rate: share of the pairs with the same answer that are served.
        hit_rate_interval: of that share, at this threshold (Wilson 1927).
        false_hits: pairs with different answers that are served.
        negatives: pairs with different answers.
        positives: pairs with the same answer.
        false_hit_bound: with 95 % confidence, the false-hit rate is not above this.
    """

    threshold: float
    threshold_interval: tuple[float, float] | None
    hit_rate: float
    hit_rate_interval: tuple[float, float]
    false_hits: int
    negatives: int
    positives: int
    false_hit_bound: float


def pair_cosines(
    embedder: Embedder, pairs: Sequence[Pair], *, show_progress: bool = False
) -> tuple[Floats, Floats]:
    """Cosines of the distinct pairs with the same answer and of those with different ones."""
    pairs = distinct_pairs(pairs)
    texts = sorted({text for pair in pairs for text in (pair.first, pair.second)})
    row = {text: position for position, text in enumerate(texts)}
    vectors = embedder.encode(texts, show_progress=show_progress)
    first = vectors[[row[pair.first] for pair in pairs]]
    second = vectors[[row[pair.second] for pair in pairs]]
    cosines = np.einsum("ij,ij->i", first, second).astype(np.float64)
    same = np.array([pair.same for pair in pairs])
    return cosines[same], cosines[~same]


def negatives_needed(max_false_hits: float) -> int:
    """Fewest negatives with which a false-hit rate below the budget can be shown at all.

    With no false hit among n, the bound is 1 − 0.05^(1/n), the "rule of three".
    """
    return math.ceil(math.log(1 - CONFIDENCE) / math.log1p(-max_false_hits))


def check_counts(positives: int, negatives: int, max_false_hits: float) -> None:
    """Refuse a budget that so many pairs cannot support, before anything is embedded.

    Raises:
        InputError: if the budget is not between 0 and 1.
        DataError: if there are too few pairs of either kind.
    """
    if not 0 < max_false_hits < 1:
        raise InputError(f"max_false_hits is {max_false_hits}, expected between 0 and 1")
    needed = negatives_needed(max_false_hits)
    if negatives < needed:
        raise DataError(
            f"{negatives} distinct pairs with different answers cannot show a false-hit rate below "
            f"{max_false_hits:.2%} with {CONFIDENCE:.0%} confidence; at least {needed} can"
        )
    if positives < _FEWEST_POSITIVES:
        raise DataError(
            f"{positives} distinct pairs with the same answer are too few; "
            f"{_FEWEST_POSITIVES} are needed"
        )


def calibrate(positive: Floats, negative: Floats, *, max_false_hits: float) -> Calibration:
    """Choose the lowest threshold whose false-hit rate is shown to be below a budget.

    From the highest threshold down, the exact upper bound of the false-hit rate (Clopper and
    Pearson 1934) is held against the budget; the last threshold before it fails is taken. Tests in
    a fixed order keep the confidence for the one that is chosen (Angelopoulos et al. 2021, arXiv
    2110.01052).

    Args:
        positive: float64 (p,), cosines of pairs with the same answer.
        negative: float64 (n,), cosines of pairs with different answers.
        max_false_hits: budget, share of negatives that may be served, between 0 and 1.

    Raises:
        InputError: if the budget is not between 0 and 1.
        DataError: if there are too few pairs, or no threshold serves anything within the budget.
    """
    check_counts(len(positive), len(negative), max_false_hits)
    allowed = _most_false_hits(len(negative), max_false_hits)
    threshold = _threshold(positive, negative, allowed)
    false_hits = int((negative >= threshold).sum())
    hit_rate = float((positive >= threshold).mean())
    if threshold > 1 or not (positive >= threshold).any():
        raise DataError(
            f"no threshold serves a pair with the same answer and keeps false hits below "
            f"{max_false_hits:.2%}: too many pairs with different answers lie as close as any pair "
            f"with the same one"
        )
    return Calibration(
        threshold=threshold,
        threshold_interval=_around(threshold, quantile_interval(negative, allowed + 1)),
        hit_rate=hit_rate,
        hit_rate_interval=wilson(hit_rate, len(positive)),
        false_hits=false_hits,
        negatives=len(negative),
        positives=len(positive),
        false_hit_bound=_upper_bound(false_hits, len(negative)),
    )


def quantile_interval(sample: Floats, rank: int) -> tuple[float, float] | None:
    """A 95 % interval of the quantile that a value of a sample stands for, by its neighbours.

    How many of the sample lie above a quantile is binomial, whatever the distribution, so that the
    values of two ranks enclose it (David and Nagaraja 2003, Order Statistics, 7.1).

    Args:
        sample: float64 (n,).
        rank: of the value, the largest has 1; it stands for the quantile with a share of
            rank / (n + 1) above it.

    Returns:
        The values of the two ranks; None if no value is large or small enough, as for a rank below
        4: a bootstrap would give an end there, and far too low a one.
    """
    from scipy.stats import binom

    count, tail = len(sample), (1 - CONFIDENCE) / 2
    above = binom(count, rank / (count + 1))
    # most ranks that with at most 2.5 % are all above the quantile, and fewest that surely hold it
    upper, lower = int(above.ppf(tail)), int(above.isf(tail)) + 1
    if upper < 1 or lower > count:
        return None
    largest_first = np.sort(sample)[::-1]
    return float(largest_first[lower - 1]), float(largest_first[upper - 1])


def _upper_bound(false_hits: int, negatives: int) -> float:
    from scipy.stats import beta

    if false_hits >= negatives:
        return 1.0
    return float(beta.ppf(CONFIDENCE, false_hits + 1, negatives - false_hits))


def _most_false_hits(negatives: int, budget: float) -> int:
    allowed = 0
    while _upper_bound(allowed + 1, negatives) <= budget:
        allowed += 1
    return allowed


def _threshold(positive: Floats, negative: Floats, allowed: int) -> float:
    """Half way between the first negative that must not be served and the next pair above it.

    Rounded up to four digits: what is printed is what was tested.
    """
    refused = np.sort(negative)[::-1][allowed]
    above = np.concatenate([positive, negative])
    above = above[above > refused]
    middle = (refused + above.min()) / 2 if len(above) else refused
    threshold = math.ceil(float(middle) * 10_000) / 10_000
    return threshold if threshold > float(refused) else threshold + 0.0001


def _around(threshold: float, interval: tuple[float, float] | None) -> tuple[float, float] | None:
    """An interval that the rounding up has not left out the threshold of."""
    return interval and (interval[0], max(interval[1], threshold))


def advice(calibration: Calibration) -> list[str]:
    """How to give the threshold to each line of semantic-router, and to a cache of one's own."""
    value = f"{calibration.threshold:.4f}"
    return [
        f"own cache:               serve if cosine >= {value}",
        f"semantic-router 1.x:     IndexedRouter(..., aggregation='max', top_k=1, "
        f"confidence_threshold={value})",
        f"semantic-router 0.1-0.3: LoRAHuggingFaceEncoder(score_threshold={value}) in a "
        f"SemanticRouter(..., aggregation='max', top_k=1)",
        f"semantic-router 0.0.x:   LoRAHuggingFaceEncoder(score_threshold={value}) in a "
        f"RouteLayer(..., aggregation='max', top_k=1)",
    ]
