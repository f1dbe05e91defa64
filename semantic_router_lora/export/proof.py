"""Whether what was written gives the vectors of what it was made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE = 1e-5
# Texts of every length that matters, and of every kind that tokenizers treat in a way of its own.
PROBES = (
    "",
    "hi",
    "What are the symptoms of diabetes?",
    "How do I undo the last commit?",
    "2024-03-01: invoice 7714, 1,299.00 EUR, due in 30 days",
    "WHY is my Wi-Fi slow on Größe, Ångström and naïve? 東京 \N{GRINNING FACE} [SEP] end",
    "Can I cancel my subscription before it renews, and will I get my money back? " * 3,
    "Every word of a very long text counts until the model has no more positions. " * 60,
)


def largest_difference(
    expected: NDArray[np.float32], encode: Callable[[Sequence[str]], NDArray[np.float32]]
) -> float:
    """How far vectors of the probes are from what they should be.

    Args:
        expected: float32 (len(PROBES), dim), the vectors of the source.
        encode: what was written, from texts to float32 (texts, dim).

    Returns:
        The largest difference in one dimension, with each probe alone and with all together.
    """
    alone = np.concatenate([encode([text]) for text in PROBES])
    together = encode(list(PROBES))
    return float(max(np.abs(found - expected).max() for found in (alone, together)))
