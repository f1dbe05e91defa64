"""What filters take and give: a query with texts for it, and what was removed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

PARAPHRASE = "paraphrase"
NEGATIVE = "negative"

# For each paraphrase, and for each negative: why it is removed, or None.
Reasons = tuple[Sequence[str | None], Sequence[str | None]]


@dataclass(frozen=True)
class Candidate:
    """A query, and what a model wrote for it.

    Attributes:
        query: as the user typed it.
        paraphrases: other wordings of it.
        negatives: (trap, near miss).
    """

    query: str
    paraphrases: tuple[str, ...]
    negatives: tuple[tuple[str, str], ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of the paraphrases, then those of the negatives."""
        return (*self.paraphrases, *(text for _, text in self.negatives))


@dataclass(frozen=True)
class Removed:
    """A text that a filter took out.

    Attributes:
        filter: name of the filter.
        kind: ``paraphrase`` or ``negative``.
        text: the text.
        query: that it was written for.
        reason: with the measured figure where there is one.
    """

    filter: str
    kind: str
    text: str
    query: str
    reason: str


Result = tuple[Candidate, list[Removed]]


class Filter(Protocol):
    """Takes texts out of candidates; as many candidates come back, in the same order."""

    name: ClassVar[str]

    def __call__(self, batch: Sequence[Candidate]) -> list[Result]:
        """What is left of each candidate, and what was removed from it."""
        ...


class CandidateFilter(ABC):
    """A filter that looks at one candidate at a time."""

    name: ClassVar[str]

    @abstractmethod
    def reasons(self, candidate: Candidate) -> Reasons:
        """Why each text is removed, None for one that stays."""

    def __call__(self, batch: Sequence[Candidate]) -> list[Result]:
        """What is left of each candidate, and what was removed from it."""
        return [split(self.name, candidate, self.reasons(candidate)) for candidate in batch]


class TextFilter(CandidateFilter):
    """A filter that looks at one text at a time, and at the query."""

    @abstractmethod
    def reason(self, query: str, text: str) -> str | None:
        """Why a text that was written for a query is removed, None if it stays."""

    def reasons(self, candidate: Candidate) -> Reasons:
        """Why each text is removed, None for one that stays."""
        return (
            [self.reason(candidate.query, text) for text in candidate.paraphrases],
            [self.reason(candidate.query, text) for _, text in candidate.negatives],
        )


def split(name: str, candidate: Candidate, reasons: Reasons) -> Result:
    """Take out of a candidate every text that there is a reason for."""
    for_paraphrases, for_negatives = reasons
    paraphrases = list(zip(candidate.paraphrases, for_paraphrases, strict=True))
    negatives = list(zip(candidate.negatives, for_negatives, strict=True))
    removed = [
        Removed(name, PARAPHRASE, text, candidate.query, reason)
        for text, reason in paraphrases
        if reason is not None
    ]
    removed += [
        Removed(name, NEGATIVE, text, candidate.query, reason)
        for (_, text), reason in negatives
        if reason is not None
    ]
    if not removed:
        return candidate, []
    left = Candidate(
        candidate.query,
        tuple(text for text, reason in paraphrases if reason is None),
        tuple(negative for negative, reason in negatives if reason is None),
    )
    return left, removed
