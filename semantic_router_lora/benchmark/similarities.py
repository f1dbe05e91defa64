"""Cosines of triplets: each text is embedded once, whatever is measured on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.benchmark.suite import Suite
from semantic_router_lora.embedder import Embedder

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Similarities:
    """Cosines of n triplets.

    Attributes:
        positive: float64 (n,), cos(anchor, positive).
        negative: float64 (n,), cos(anchor, negative).
    """

    positive: Floats
    negative: Floats

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Similarities:
        """Those of some of the triplets."""
        return Similarities(self.positive[rows], self.negative[rows])


def pooled(parts: Sequence[Similarities]) -> Similarities:
    """Those of all triplets together."""
    return Similarities(
        np.concatenate([part.positive for part in parts]),
        np.concatenate([part.negative for part in parts]),
    )


def similarities_of(
    embedder: Embedder, suites: Sequence[Suite], *, show_progress: bool = False
) -> list[Similarities]:
    """The similarities of each suite; a text that occurs twice is embedded once."""
    texts = sorted(
        {text for suite in suites for triplet in suite.triplets for text in triplet.texts}
    )
    vectors = embedder.encode(texts, show_progress=show_progress)
    row = {text: position for position, text in enumerate(texts)}
    found = []
    for suite in suites:
        anchor, positive, negative = (
            vectors[[row[triplet.texts[part]] for triplet in suite.triplets]] for part in range(3)
        )
        found.append(
            Similarities(
                np.einsum("ij,ij->i", anchor, positive).astype(np.float64),
                np.einsum("ij,ij->i", anchor, negative).astype(np.float64),
            )
        )
    return found
