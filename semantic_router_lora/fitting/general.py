"""What an adapter for routes costs where it was not trained: on the bundled general suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.benchmark.measure import Figure, measure
from semantic_router_lora.benchmark.similarities import Similarities
from semantic_router_lora.benchmark.suite import bundled_file
from semantic_router_lora.data.triplets import read_triplets


def general_precision(encode: Callable[[Sequence[str]], NDArray[np.float32]], seed: int) -> Figure:
    """Average precision on the bundled general test suite, with its 95 % interval.

    It is reported, and nothing is chosen by it.
    """
    triplets = read_triplets(bundled_file("general", "test"))
    texts = sorted({text for triplet in triplets for text in triplet.texts})
    at = dict(zip(texts, encode(texts), strict=True))
    positive, negative = (
        np.array([at[t.anchor] @ at[getattr(t, other)] for t in triplets], np.float64)
        for other in ("positive", "negative")
    )
    return measure(Similarities(positive, negative), seed=seed)["average_precision"]
