"""Texts that are too short or too long."""

from __future__ import annotations

import math

from semantic_router_lora.data.words import words
from semantic_router_lora.generation.filters.candidate import TextFilter
from semantic_router_lora.generation.filters.scripts import UNSPACED, script


class LengthFilter(TextFilter):
    """Removes texts out of bounds in words, absolute and relative to the query.

    Args:
        least: fewest words of a text.
        most: most words of a text.
        least_ratio: fewest words of a text for each word of the query.
        most_ratio: most words of a text for each word of the query.
    """

    name = "length"

    def __init__(self, least: int, most: int, least_ratio: float, most_ratio: float) -> None:
        self._least = least
        self._most = most
        self._least_ratio = least_ratio
        self._most_ratio = most_ratio

    def reason(self, query: str, text: str) -> str | None:
        """Why a text is removed, None if it stays."""
        count = word_count(text)
        if not self._least <= count <= self._most:
            return f"{count} words, {self._least} to {self._most} wanted"
        ratio = count / max(1, word_count(query))
        if not self._least_ratio <= ratio <= self._most_ratio:
            return (
                f"{ratio:.2f} times as many words as the query, "
                f"{self._least_ratio:g} to {self._most_ratio:g} wanted"
            )
        return None


def word_count(text: str) -> int:
    """Number of words; scripts without spaces count two letters as a word."""
    count = 0
    for word in words(text):
        unspaced = sum(script(letter) in UNSPACED for letter in word)
        count += max(1, math.ceil(unspaced / 2))
    return count
