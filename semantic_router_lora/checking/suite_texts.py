"""Finding texts of the benchmark's suites among other texts, word for word and nearly so."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from semantic_router_lora.benchmark.suite import Suite
from semantic_router_lora.data.check import NEAR_IDENTICAL
from semantic_router_lora.data.words import composed, jaccard, plain, words

# So many words in a row are hardly ever chosen twice by chance, but for everyday phrases; with half
# of a text's runs in it, another text is a copy.
RUN = 8
SHARE_OF_RUNS = 0.5


@dataclass(frozen=True)
class Likeness:
    """A text of a suite that another text is like.

    Attributes:
        place: domain and row of the text in its suite.
        how: in which way.
        is_copy: whether that is for sure no accident.
    """

    place: str
    how: str
    is_copy: bool = True


class SuiteTexts:
    """An index of every text of some suites."""

    def __init__(self, suites: Iterable[Suite]) -> None:
        self._places: list[str] = []
        self._exact: dict[str, int] = {}
        self._words: list[frozenset[str]] = []
        self._runs: list[int] = []
        self._with_run: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for suite in suites:
            for row, triplet in enumerate(suite.triplets, start=1):
                for text in triplet.texts:
                    self._add(f"{suite.domain}, row {row}", text)
        self._frequency = Counter(word for word_set in self._words for word in word_set)
        self._with_word: dict[str, list[int]] = defaultdict(list)
        for number, word_set in enumerate(self._words):
            for word in self._rarest(word_set):
                self._with_word[word].append(number)

    def _add(self, place: str, text: str) -> None:
        number = self._exact.setdefault(plain(text), len(self._places))
        if number < len(self._places):
            return
        runs = _runs(text)
        self._places.append(place)
        self._words.append(frozenset(_words(text)))
        self._runs.append(len(runs))
        for run in runs:
            self._with_run[run].append(number)

    def _rarest(self, word_set: frozenset[str]) -> list[str]:
        """The words of which two near-identical texts must share one (see `near_pairs`)."""
        ordered = sorted(word_set, key=lambda word: (self._frequency[word], word))
        return ordered[: len(ordered) - math.ceil(NEAR_IDENTICAL * len(ordered)) + 1]

    def like(self, text: str) -> Likeness | None:
        """The text of the suites that a text equals, nearly equals, or holds in large part."""
        equal = self._exact.get(plain(text))
        if equal is not None:
            return Likeness(self._places[equal], "is")
        word_set = frozenset(_words(text))
        near = {n for word in self._rarest(word_set) for n in self._with_word.get(word, ())}
        for number in sorted(near):
            similarity = jaccard(self._words[number], word_set)
            if similarity >= NEAR_IDENTICAL:
                return Likeness(self._places[number], f"shares {similarity:.0%} of its words with")
        shared = Counter(number for run in _runs(text) for number in self._with_run.get(run, ()))
        if not shared:
            return None
        number = max(shared, key=lambda n: shared[n] / self._runs[n])
        is_copy = shared[number] >= SHARE_OF_RUNS * self._runs[number]
        how = f"shares {shared[number]} of {self._runs[number]} runs of {RUN} words with"
        return Likeness(self._places[number], how, is_copy)


def _words(text: str) -> list[str]:
    return words(composed(text))


def _runs(text: str) -> set[tuple[str, ...]]:
    all_words = _words(text)
    return {tuple(all_words[i : i + RUN]) for i in range(len(all_words) - RUN + 1)}
