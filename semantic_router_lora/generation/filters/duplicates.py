"""Texts that say again, word by word, what stands there already."""

from __future__ import annotations

from collections.abc import Callable

from semantic_router_lora.data.words import jaccard, words
from semantic_router_lora.generation.filters.candidate import (
    Candidate,
    CandidateFilter,
    Reasons,
)
from semantic_router_lora.generation.filters.wording import full_words, letters, plain_words


class CopyFilter(CandidateFilter):
    """Removes copies of the query: but for case, spaces and punctuation.

    In negatives, symbols count: they can be all that the trap changes.
    """

    name = "copy"

    def reasons(self, candidate: Candidate) -> Reasons:
        """Why each text is removed, None for one that stays."""
        query = candidate.query
        reason = "equals the query"
        return (
            [reason if letters(t) == letters(query) else None for t in candidate.paraphrases],
            [
                reason if plain_words(text) == plain_words(query) else None
                for _, text in candidate.negatives
            ],
        )


class DuplicateFilter(CandidateFilter):
    """Removes what stands in the answer before: but for case, spaces and punctuation.

    Of a paraphrase and an equal negative, the negative goes. Symbols count in negatives.
    """

    name = "duplicate"

    def reasons(self, candidate: Candidate) -> Reasons:
        """Why each text is removed, None for one that stays."""
        first: dict[str, int] = {}
        paraphrases = [
            None if first.setdefault(letters(text), place) == place else "equals an earlier one"
            for place, text in enumerate(candidate.paraphrases)
        ]
        return paraphrases, _repeating_negatives(candidate, plain_words, with_query=False)


class NearDuplicateFilter(CandidateFilter):
    """Removes what hardly differs from a text of the same answer, or a negative from the query.

    Of two paraphrases that share nearly all words, the later one goes. A negative may share all
    words with another text, as swapped roles do: it goes only if its words are the same in the
    same order but for articles, politeness and contractions.

    Args:
        similarity: shared words / all words (Jaccard) from which paraphrases count as one.
    """

    name = "near_duplicate"

    def __init__(self, similarity: float) -> None:
        self._similarity = similarity

    def reasons(self, candidate: Candidate) -> Reasons:
        """Why each text is removed, None for one that stays."""
        paraphrases: list[str | None] = []
        kept: list[str] = []
        for text in candidate.paraphrases:
            reason = self._near(kept, text)
            paraphrases.append(reason)
            if reason is None:
                kept.append(text)
        return paraphrases, _repeating_negatives(candidate, full_words, with_query=True)

    def _near(self, kept: list[str], text: str) -> str | None:
        own = frozenset(words(text))
        for other in kept:
            similarity = jaccard(own, frozenset(words(other)))
            if similarity >= self._similarity:
                return f"shares {similarity:.2f} of the words of {other!r}"
        return None


class WordCopyFilter(CandidateFilter):
    """Removes paraphrases that share nearly all words with the query, in whatever order.

    Nothing is learnt from most of them, and one that swaps a single word or the roles asks
    something else.

    Args:
        similarity: shared words / all words (Jaccard) from which a paraphrase is too close.
    """

    name = "word_copy"

    def __init__(self, similarity: float) -> None:
        self._similarity = similarity

    def reasons(self, candidate: Candidate) -> Reasons:
        """Why each paraphrase is removed; negatives stay."""
        return (
            [self._too_close(candidate.query, text) for text in candidate.paraphrases],
            [None] * len(candidate.negatives),
        )

    def _too_close(self, query: str, text: str) -> str | None:
        similarity = jaccard(frozenset(words(query)), frozenset(words(text)))
        if similarity < self._similarity:
            return None
        return f"shares {similarity:.2f} of the query's words, under {self._similarity:g} wanted"


def _repeating_negatives(
    candidate: Candidate, key: Callable[[str], list[str]], *, with_query: bool
) -> list[str | None]:
    seen: dict[tuple[str, ...], str] = {}
    for text in candidate.paraphrases:
        seen.setdefault(tuple(key(text)), f"the paraphrase {text!r}")
    if with_query:
        seen[tuple(key(candidate.query))] = "the query"
    found: list[str | None] = []
    for _, text in candidate.negatives:
        own = tuple(key(text))
        found.append(f"says the same as {seen[own]}" if own in seen else None)
        seen.setdefault(own, f"the negative {text!r}")
    return found
