"""Words of a text, and texts that share nearly all of them."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

_WORD = re.compile(r"\w+(?:['’.+#/:-]\w+)*[+#]*")

# Words without a meaning of their own; overlap figures count the others.
STOP_WORDS = frozenset(
    """a about after all am an and any are as at be been before but by can could did do does doing
    for from get had has have how i if in into is it its just me my no not of on or our out over
    she should so some than that the their them then there these they this to up us was we were
    what when where which while who why will with would you your""".split()
)


def words(text: str) -> list[str]:
    """Lower-cased words in order; punctuation counts only inside a word, as in ``c++``."""
    return _WORD.findall(text.lower())


def plain(text: str) -> str:
    """A text without what makes no other question of it.

    That is: case, spaces, the full stop at the end, and what `composed` levels. Other punctuation
    stays: in code ``$?`` and ``$!`` are two things.
    """
    return " ".join(composed(text).casefold().split()).rstrip(" .?!")


def composed(text: str) -> str:
    """A text with one way to write each character: NFKC, without format characters.

    An accented letter and a letter with an accent look the same, as do a word and one with a
    zero-width space in it; and to most encoders they are the same.
    """
    if text.isascii():
        return text
    visible = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    return unicodedata.normalize("NFKC", visible)


def content_words(text: str) -> frozenset[str]:
    """The words of a text without stop words."""
    return frozenset(words(text)) - STOP_WORDS


def jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    """Shared words / all words of both; 0 if both are empty."""
    return len(first & second) / max(1, len(first | second))


def near_pairs(texts: Sequence[str], threshold: float) -> Iterator[tuple[int, int, float]]:
    """Pairs of texts whose words have a Jaccard similarity of at least the threshold.

    Finds all of them without comparing each with each: of two such texts, the rarest
    ``n - ceil(threshold * n) + 1`` words of the one must meet those of the other (prefix
    filtering; Bayardo, Ma, Srikant 2007).

    Yields:
        (earlier index, later index, similarity).
    """
    sets = [frozenset(words(text)) for text in texts]
    frequency = Counter(word for word_set in sets for word in word_set)
    index: dict[str, list[int]] = defaultdict(list)
    for position, word_set in enumerate(sets):
        rarest = sorted(word_set, key=lambda word: (frequency[word], word))
        prefix = rarest[: len(rarest) - math.ceil(threshold * len(rarest)) + 1]
        candidates = {earlier for word in prefix for earlier in index[word]}
        for earlier in sorted(candidates):
            similarity = jaccard(sets[earlier], word_set)
            if similarity >= threshold:
                yield earlier, position, similarity
        for word in prefix:
            index[word].append(position)
