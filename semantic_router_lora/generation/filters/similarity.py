"""Filters by meaning, as an embedding model sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.data.words import jaccard, words
from semantic_router_lora.generation.filters.candidate import Candidate, Reasons, Result, split

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


class BatchVectors:
    """Unit vectors of texts; those of the last call are kept for the filter that comes next.

    Args:
        embed: texts → (texts, dim).
    """

    def __init__(self, embed: Embed) -> None:
        self._embed = embed
        self._known: dict[str, NDArray[np.float32]] = {}

    def __call__(self, batch: Sequence[Candidate]) -> dict[str, NDArray[np.float32]]:
        """The vector of every text of a batch, queries included."""
        texts = dict.fromkeys(text for one in batch for text in (one.query, *one.texts))
        known = {text: self._known[text] for text in texts if text in self._known}
        missing = [text for text in texts if text not in known]
        if missing:
            vectors = self._embed([_encodable(text) for text in missing])
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            known.update(zip(missing, vectors / np.maximum(lengths, 1e-12), strict=True))
        self._known = known
        return known


class FarParaphraseFilter:
    """Removes paraphrases that are about something else than the query.

    Args:
        vectors: of a batch.
        least: cosine to the query that a paraphrase must have.
    """

    name: ClassVar[str] = "far_paraphrase"

    def __init__(self, vectors: BatchVectors, least: float) -> None:
        self._vectors = vectors
        self._least = least

    def __call__(self, batch: Sequence[Candidate]) -> list[Result]:
        """What is left of each candidate, and what was removed from it."""
        vectors = self._vectors(batch)
        return [split(self.name, one, self._reasons(one, vectors)) for one in batch]

    def _reasons(self, candidate: Candidate, vectors: dict[str, NDArray[np.float32]]) -> Reasons:
        query = vectors[candidate.query]
        cosines = [float(query @ vectors[text]) for text in candidate.paraphrases]
        reasons = [
            f"cosine {cosine:.2f} to the query, at least {self._least:g} wanted"
            if cosine < self._least
            else None
            for cosine in cosines
        ]
        return reasons, [None] * len(candidate.negatives)


class CloseNegativeFilter:
    """Removes negatives that may well be paraphrases.

    Such a negative is closer to the query than the closest paraphrase, by more than a margin, and
    words do not explain it. A good near miss is close because it keeps the words of the query or
    of a paraphrase and changes one of them; without the second condition the filter removes more
    good near misses than paraphrases (training/filters/README.md has the figures).

    Args:
        vectors: of a batch.
        margin: cosine by which a negative must be closer than every paraphrase.
        most_overlap: a negative that shares more of its words (Jaccard) with the query or a
            paraphrase stays; 1 leaves the second condition out.
    """

    name: ClassVar[str] = "close_negative"

    def __init__(self, vectors: BatchVectors, margin: float, most_overlap: float) -> None:
        self._vectors = vectors
        self._margin = margin
        self._most_overlap = most_overlap

    def __call__(self, batch: Sequence[Candidate]) -> list[Result]:
        """What is left of each candidate, and what was removed from it."""
        vectors = self._vectors(batch)
        return [split(self.name, one, self._reasons(one, vectors)) for one in batch]

    def _reasons(self, candidate: Candidate, vectors: dict[str, NDArray[np.float32]]) -> Reasons:
        none: list[str | None] = [None] * len(candidate.paraphrases)
        if not candidate.paraphrases:
            return none, [None] * len(candidate.negatives)
        query = vectors[candidate.query]
        closest = max(float(query @ vectors[text]) for text in candidate.paraphrases)
        wordings = [frozenset(words(text)) for text in (candidate.query, *candidate.paraphrases)]
        reasons: list[str | None] = []
        for _, text in candidate.negatives:
            cosine = float(query @ vectors[text])
            overlap = max(jaccard(frozenset(words(text)), wording) for wording in wordings)
            reasons.append(
                f"cosine {cosine:.2f} to the query, that of the closest paraphrase is "
                f"{closest:.2f}, though it shares only {overlap:.2f} of the words"
                if cosine > closest + self._margin and overlap <= self._most_overlap
                else None
            )
        return none, reasons


def _encodable(text: str) -> str:
    """A text that can be embedded, even if it holds half a character."""
    return text.encode("utf-8", "replace").decode("utf-8")
