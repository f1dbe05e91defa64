"""What a text of a row must be like, and small helpers that every source uses."""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from collections.abc import Sequence
from typing import TypeVar

from semantic_router_lora.data.words import words

Option = TypeVar("Option")

MIN_WORDS, MAX_WORDS = 3, 64

_TAG = re.compile(r"</?[A-Za-z][^<>]*>|&(?:#\d+|#x[0-9a-fA-F]+|[A-Za-z]{2,8});")
_INVISIBLE = re.compile(r"[\u200b-\u200f\u2028\u2029\ufeff\u00ad]")
# Frequent in other languages of these sites, and no English words.
_FOREIGN = frozenset(
    """que para como una los las por con del está und der das ist nicht eine für mit les des est
    une pour dans avec qui sur não uma você het een voor che sono della""".split()
)


def clean(text: str) -> str:
    """Decode entities, drop what is invisible and bring spaces to one."""
    text = unicodedata.normalize("NFC", html.unescape(text))
    return " ".join(_INVISIBLE.sub("", text).split())


def normal(text: str) -> str:
    """Two texts that are equal in this form count as one, as in `data check`."""
    return " ".join(text.lower().split()).rstrip(" .?!")


def fault(text: str) -> str | None:
    """Why a text cannot stand in a row, or None."""
    count = len(words(text))
    if count < MIN_WORDS:
        return f"text of fewer than {MIN_WORDS} words"
    if count > MAX_WORDS:
        return f"text of more than {MAX_WORDS} words"
    if _TAG.search(text):
        return "markup in a text"
    if not _english(text):
        return "text not in English"
    return None


def _english(text: str) -> bool:
    letters = [character for character in text if character.isalpha()]
    foreign = sum(not character.isascii() for character in letters)
    if not letters or foreign * 10 > len(letters):
        return False
    return len(_FOREIGN.intersection(words(text))) < 2


def digest(*parts: str) -> int:
    """A number that depends on the texts alone: not on machine, process or Python version."""
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:8], "big")


def pick(options: Sequence[Option], *key: str) -> Option:
    """One of the options, always the same for the same key."""
    return options[digest(*key) % len(options)]


def shuffled(options: Sequence[str], *key: str) -> list[str]:
    """All options in an order that depends on the key alone."""
    return sorted(options, key=lambda option: (digest(option, *key), option))
