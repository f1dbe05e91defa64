"""What a user can choose about mining."""

from __future__ import annotations

import math
from dataclasses import dataclass

from semantic_router_lora.errors import InputError

DEFAULT_RELATIVE_MARGIN = 0.05


@dataclass(frozen=True)
class MiningOptions:
    """Settings of mining; similarities are cosines of the embedder, from -1 to 1.

    The names and the meaning of the margins and scores are those of sentence-transformers'
    ``mine_hard_negatives``. They bear on mined near misses alone, not on labelled ones.

    Attributes:
        negatives: near misses of each pair, each in a row of its own.
        max_pairs_per_group: pairs of paraphrases tried in one group.
        margin: a near miss is at least this much less similar to the anchor than the positive is;
            may be negative.
        relative_margin: the same as a share of the positive's similarity. With neither margin
            given it is `DEFAULT_RELATIVE_MARGIN`.
        max_score: highest similarity of a near miss to the anchor.
        min_score: lowest similarity of a near miss to the anchor.
        reuse: let a text be a near miss of several groups, and a paraphrase besides.
        seed: of the order of groups and the choice of pairs.
        domain: written to every row.
        source: written to every row, and set before the name of its group.

    Raises:
        InputError: if a value is out of range.
    """

    negatives: int = 1
    max_pairs_per_group: int = 50
    margin: float | None = None
    relative_margin: float | None = None
    max_score: float | None = None
    min_score: float | None = None
    reuse: bool = False
    seed: int = 42
    domain: str | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        for name in ("negatives", "max_pairs_per_group"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected at least 1")
        for name in ("margin", "relative_margin", "max_score", "min_score"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise InputError(f"{name} is {value}, expected a number")
        if (
            self.min_score is not None
            and self.max_score is not None
            and self.min_score > self.max_score
        ):
            raise InputError(f"min_score {self.min_score} is above max_score {self.max_score}")

    def highest(self, positive: float) -> float:
        """Highest similarity that a near miss may have, given that of the positive."""
        limits = [math.inf if self.max_score is None else self.max_score]
        relative = self.relative_margin
        if relative is None and self.margin is None:
            relative = DEFAULT_RELATIVE_MARGIN
        if self.margin is not None:
            limits.append(positive - self.margin)
        if relative is not None:
            limits.append(positive - abs(positive) * relative)
        return min(limits)

    @property
    def lowest(self) -> float:
        """Lowest similarity that a near miss may have."""
        return -math.inf if self.min_score is None else self.min_score
