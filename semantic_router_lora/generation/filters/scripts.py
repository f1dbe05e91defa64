"""Which script a letter belongs to."""

from __future__ import annotations

import functools
import unicodedata

EAST_ASIAN = "Chinese or Japanese"
UNSPACED = frozenset({EAST_ASIAN, "Thai", "Lao", "Khmer", "Myanmar"})

_EAST_ASIAN_NAMES = frozenset({"Cjk", "Hiragana", "Katakana", "Bopomofo"})
# How names of letters begin that say nothing of a script.
_NO_SCRIPT = frozenset({"", "Modifier", "Masculine", "Feminine", "Double-Struck", "Script"})


@functools.lru_cache(maxsize=4096)
def script(character: str) -> str | None:
    """The script of a letter, such as ``Latin``; None for what is no letter of a script.

    Unicode names begin with it. Variants such as full-width letters count as what they stand for.
    """
    plain = unicodedata.normalize("NFKC", character)[:1]
    if not plain.isalpha():
        return None
    name = unicodedata.name(plain, "").split(" ")[0].title()
    if name in _NO_SCRIPT:
        return None
    return EAST_ASIAN if name in _EAST_ASIAN_NAMES else name
