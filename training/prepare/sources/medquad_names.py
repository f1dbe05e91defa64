"""Names of diseases and drugs as people would write them within a question."""

from __future__ import annotations

import re
from collections.abc import Iterable

_BRACKETS = re.compile(r"\s*\(([^()]*)\)\s*$")
_USABLE = re.compile(r"[A-Za-z][A-Za-z0-9' -]+")
# Titles of leaflets rather than names of something.
_LEAFLET = re.compile(
    r"\b(what i need|your|ask|resources|overview|self-care|discharge|tips|living|questions?|"
    r"problems with|older|prevent|preventing|diet|causes|treatment|diagnosis|choosing|surviving|"
    r"how|when|what|coping|learning|managing|and you|healthy|health|care|safety|basics|know|"
    r"test|tests|surgery|removal|repair|procedure|medicines|benefits|plan|guide|series|first aid|"
    r"diseases|disorders|injuries|infections|procedures|services|emergencies|anomalies|"
    r"abnormalities|syndromes|tumors|cancers|defects|issues|concerns|levels?|"
    r"recovery|therapy|transplant|screening|exam|examination|culture|x-ray|scan|biopsy|stain)\b",
    re.IGNORECASE,
)
_FORMS = {
    "oral": "by mouth",
    "topical": "on the skin",
    "nasal": "in the nose",
    "ophthalmic": "in the eye",
    "otic": "in the ear",
    "vaginal": "in the vagina",
    "rectal": "in the rectum",
    "transdermal": "through the skin",
}
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "ix": "9"}
_MARK = re.compile(r"^(?:\d+[a-z]?|[ivx]+[a-z]?|[a-z])$")


def split_brackets(name: str) -> tuple[str, str | None]:
    """A name without the brackets at its end, and what stood in them."""
    found = _BRACKETS.search(name)
    return (name[: found.start()], found[1]) if found else (name, None)


def usable(name: str) -> bool:
    """Whether a name can stand in a question: no leaflet's title, no list, not too long."""
    return (
        bool(_USABLE.fullmatch(name))
        and " - " not in name
        and len(name.split()) <= 7
        and len(name) >= 3
        and not _LEAFLET.search(name)
    )


def marks(name: str) -> frozenset[str]:
    """What tells types apart: numbers, roman numbers, single letters."""
    tokens = re.split(r"[ -]", name.lower())
    return frozenset(_ROMAN.get(token, token) for token in tokens if _MARK.match(token))


def drug_names(name: str) -> list[str]:
    """``Timolol Ophthalmic`` as it is spoken of: the usual name first."""
    *start, last = name.split()
    if start and last.lower() in _FORMS:
        bare = " ".join(start)
        return [f"{last.lower()} {bare}", f"{bare} {_FORMS[last.lower()]}"]
    if start and last == "Injection":
        bare = " ".join(start)
        return [f"{bare} injections", f"{bare} given by injection"]
    return [name]


class Casing:
    """Lower case for words that are no names: those seen in lower case inside other names."""

    def __init__(self, names: Iterable[str]) -> None:
        self._plain = {
            token
            for name in names
            for token in name.split()[1:]
            if token.islower() and len(token) > 2
        }

    def natural(self, name: str) -> str:
        """``Dry Eye`` as ``dry eye``; ``Parkinson's Disease`` as ``Parkinson's disease``."""
        return " ".join(
            token.lower() if token.istitle() and token.lower() in self._plain else token
            for token in name.split()
        )
