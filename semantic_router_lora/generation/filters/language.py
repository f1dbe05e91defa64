"""Texts in another script or language than the query's."""

from __future__ import annotations

import functools
from collections import Counter
from typing import Any

from semantic_router_lora.data.words import words
from semantic_router_lora.errors import require
from semantic_router_lora.generation.filters.candidate import Candidate, CandidateFilter, Reasons
from semantic_router_lora.generation.filters.scripts import script

# Short texts have no language that could be told for sure: the query's must be this probable, and
# that of the text this one, or the text stays.
_SURE_OF_QUERY = 0.5
_SURE_OF_TEXT = 0.3

_LATIN = "Latin"


class LanguageFilter(CandidateFilter):
    """Removes texts that are in another script or, quite surely, in another language.

    Args:
        least_overlap: the probabilities of all languages of query and text must have at least
            this in common (the sum of the lesser of both; 1 if they are equal).

    Raises:
        MissingExtraError: without py3langid.
    """

    name = "language"

    def __init__(self, least_overlap: float) -> None:
        self._least_overlap = least_overlap
        require("py3langid", "generate")

    def reasons(self, candidate: Candidate) -> Reasons:
        """Why each text is removed, None for one that stays."""
        languages = self._probabilities(candidate.query)
        scripts = _scripts(candidate.query)
        found = [
            _other_script(scripts, text) or self._other_language(languages, text)
            for text in candidate.texts
        ]
        count = len(candidate.paraphrases)
        return found[:count], found[count:]

    def _probabilities(self, text: str) -> dict[str, float]:
        """The probability of each language, the most probable first."""
        return dict(_identifier().rank(text))

    def _other_language(self, query: dict[str, float], text: str) -> str | None:
        of_query, sure_of_query = next(iter(query.items()))
        if sure_of_query < _SURE_OF_QUERY:
            return None
        found = self._probabilities(text)
        of_text, sure_of_text = next(iter(found.items()))
        overlap = sum(min(probability, found[name]) for name, probability in query.items())
        if sure_of_text < _SURE_OF_TEXT or overlap >= self._least_overlap:
            return None
        return (
            f"language {of_text!r}, the query's is {of_query!r}: their probabilities share "
            f"{overlap:.2f}, at least {self._least_overlap:g} wanted"
        )


@functools.cache
def _identifier() -> Any:
    """Loaded when the first text comes: that takes a second."""
    langid: Any = require("py3langid.langid", "generate")
    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)


def _scripts(text: str) -> Counter[str]:
    found = (script(character) for character in text)
    return Counter(name for name in found if name is not None)


def _other_script(query: Counter[str], text: str) -> str | None:
    """A word in a script that the query has no letter of.

    A single letter may be a symbol, as in β-blocker. Words in Latin letters stand in texts of
    every script, as names do, so only a text that is mostly Latin counts.
    """
    if not query:
        return None
    letters = _scripts(text)
    foreign = set(letters) - set(query)
    if _LATIN in foreign:
        foreign.remove(_LATIN)
        if letters[_LATIN] > letters.total() / 2:
            return "Latin letters, and the query has none"
    for word in words(text) if foreign else ():
        for name, count in _scripts(word).items():
            if name in foreign and count >= 2:
                return f"{word!r}: {name} letters, and the query has none"
    return None
