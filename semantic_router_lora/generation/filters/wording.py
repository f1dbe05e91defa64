"""When two texts count as one wording."""

from __future__ import annotations

import re

_OUTER_OPENING = "\"'“”‘’«»„([¿¡"
_OUTER_CLOSING = "\"'“”‘’«»)].,;:!?？。！，…"
_OPTION = re.compile(r"-+[A-Za-z]+$")
_WORD_CHARACTER = re.compile(r"\w")

_CONTRACTIONS = (
    (re.compile(r"\bcan(?:'t|not)\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\bi'm\b"), "i am"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"\b(what|where|who|how|when|why|it|that|there|here)'s\b"), r"\1 is"),
)
# Prepositions, negations, numbers, pronouns and auxiliaries make other questions. So does "a":
# hepatitis A, vitamin A, table A.
_EMPTY_WORDS = frozenset("an the please kindly actually hi hello hey thanks".split())


def letters(text: str) -> str:
    """A text without case, spaces and punctuation, or with all of it if it holds nothing else."""
    return "".join(filter(str.isalnum, text.casefold())) or text.strip()


def plain_words(text: str) -> list[str]:
    """Words without case and the punctuation of sentences; symbols stay.

    ``$?`` and ``$!`` are different questions, and so are C and C++, or the options -d and -D.
    """
    return [_plain(word) for word in text.replace("’", "'").split()]


def _plain(word: str) -> str:
    bare = word.lstrip(_OUTER_OPENING).rstrip(_OUTER_CLOSING)
    if "[" in bare:  # as in a[0]
        bare = word.lstrip(_OUTER_OPENING).rstrip(_OUTER_CLOSING.replace("]", ""))
    if not _WORD_CHARACTER.search(bare):
        bare = word
    return bare if _OPTION.match(bare) else bare.lower()


def full_words(text: str) -> list[str]:
    """`plain_words` in order, contractions spelt out and words without any meaning left out."""
    expanded = " ".join(plain_words(text))
    for pattern, spelt_out in _CONTRACTIONS:
        expanded = pattern.sub(spelt_out, expanded)
    return [word for word in expanded.split() if word not in _EMPTY_WORDS]
