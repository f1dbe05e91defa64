"""What files of triplets are like."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from semantic_router_lora.data.triplets import LABELS, Triplet
from semantic_router_lora.data.words import content_words, jaccard, words
from semantic_router_lora.errors import DataError

_FRAME_WORDS = 4


@dataclass(frozen=True)
class FileStatistics:
    """Figures of one file; shares are between 0 and 1.

    Attributes:
        rows: number of triplets.
        traps: rows of each trap.
        frames: the commonest opening of four words and its share among each row field.
        lengths: 5 %, 50 % and 95 % quantile of the number of words of all texts.
        positives_low_overlap: share of positives with less than a quarter of content words
            shared with the anchor (Jaccard).
        negatives_high_overlap: share of negatives that hold more than half of the anchor's content
            words.
        negative_closer: share of rows whose negative overlaps more than the positive.
    """

    rows: int
    traps: dict[str, int]
    frames: dict[str, tuple[str, float]]
    lengths: tuple[float, float, float]
    positives_low_overlap: float
    negatives_high_overlap: float
    negative_closer: float


def file_statistics(triplets: Iterable[Triplet]) -> FileStatistics:
    """Trap balance, frames, lengths and word overlap of triplets.

    They are taken one after the other: memory grows with the number of different openings, not
    with the texts.

    Raises:
        DataError: if there is no triplet.
    """
    import numpy as np

    lengths = array("I")
    traps: Counter[str] = Counter()
    frames: dict[str, Counter[str]] = {label: Counter() for label in LABELS}
    rows = low_overlap = high_overlap = closer = 0
    for triplet in triplets:
        rows += 1
        traps[triplet.trap or "none"] += 1
        for label, text in zip(LABELS, triplet.texts, strict=True):
            in_order = words(text)
            lengths.append(len(in_order))
            frames[label][" ".join(in_order[:_FRAME_WORDS])] += 1
        anchor, positive, negative = map(content_words, triplet.texts)
        positive_overlap = jaccard(anchor, positive)
        low_overlap += positive_overlap < 0.25
        high_overlap += len(anchor & negative) / max(1, len(anchor)) > 0.5
        closer += jaccard(anchor, negative) > positive_overlap
    if not rows:
        raise DataError("there are no triplets to describe")
    low, median, high = np.quantile(lengths, (0.05, 0.5, 0.95)).tolist()
    return FileStatistics(
        rows=rows,
        traps=dict(traps.most_common()),
        frames={label: _commonest(counts, rows) for label, counts in frames.items()},
        lengths=(low, median, high),
        positives_low_overlap=low_overlap / rows,
        negatives_high_overlap=high_overlap / rows,
        negative_closer=closer / rows,
    )


def _commonest(frames: Counter[str], rows: int) -> tuple[str, float]:
    frame, count = frames.most_common(1)[0]
    return frame, count / rows
