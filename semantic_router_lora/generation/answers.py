"""What a model answered, read with tolerance for its wrapping and none for its content."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from unicodedata import category

from semantic_router_lora.data.triplets import TRAPS
from semantic_router_lora.generation.filters.candidate import NEGATIVE, PARAPHRASE

# More text than this is no answer to what was asked, and scanning it would take long.
_MOST_CHARACTERS = 100_000
_MOST_STARTS = 50
_MOST_SHOWN = 300

_THOUGHT_BEGINS = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_THOUGHT_ENDS = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
# A string is matched first, so that a comma inside it is never taken for a trailing one. One that
# does not end is matched, too, or each of its quotes would be tried as the beginning of another.
_TRAILING_COMMA = re.compile(r'("(?:\\.|[^"\\])*"?)|,(?=\s*[}\]])', re.DOTALL)


class AnswerError(Exception):
    """An answer holds no paraphrases or no near misses. Stays inside this package."""


class Unread(NamedTuple):
    """Something in the place of a text that is none to use.

    Attributes:
        kind: ``paraphrase`` or ``negative``.
        text: what stands there, as JSON in ASCII, which any file can hold.
        reason: why it is not used.
    """

    kind: str
    text: str
    reason: str


@dataclass(frozen=True)
class Answer:
    """What a model wrote for a query.

    Attributes:
        paraphrases: other wordings of the query.
        negatives: (trap, near miss) in the order of the answer.
        unread: what stands among them and is neither, but for null and empty texts.
    """

    paraphrases: tuple[str, ...]
    negatives: tuple[tuple[str, str], ...]
    unread: tuple[Unread, ...] = ()


def parse_answer(text: str) -> Answer:
    """Find the JSON object in an answer, whatever stands around it, and read it.

    Code fences, thoughts, sentences before and after it, and commas before a closing bracket are
    passed over; a cut-off object is not completed, since its last text would be cut off too.

    Raises:
        AnswerError: if there is no such object, or no text in it.
    """
    if len(text) > _MOST_CHARACTERS:
        raise AnswerError(f"{len(text)} characters long")
    plain = _without_thoughts(text)
    if not plain.strip():
        raise AnswerError("empty")
    for found in _objects(plain):
        if "paraphrases" in found and "negatives" in found:
            try:
                return _answer(found)
            except RecursionError as error:
                raise AnswerError("nested too deeply") from error
    raise AnswerError("no JSON object with paraphrases and negatives")


def _without_thoughts(text: str) -> str:
    """What follows the last thought; its beginning may stand in the prompt, and its end be cut."""
    return _THOUGHT_BEGINS.split(_THOUGHT_ENDS.split(text)[-1])[0]


def _objects(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    text = text[text.find("{") :]  # a quotation mark before it would pass for one of its own
    for tidied in (False, True):
        candidate = _TRAILING_COMMA.sub(lambda match: match[1] or "", text) if tidied else text
        starts = (match.start() for match in re.finditer(r"\{", candidate))
        for start in itertools.islice(starts, _MOST_STARTS):
            try:
                value, _ = decoder.raw_decode(candidate, start)
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict):
                yield value


def _answer(found: dict[str, Any]) -> Answer:
    paraphrases = found["paraphrases"]
    if isinstance(paraphrases, str):
        paraphrases = [paraphrases]
    if not isinstance(paraphrases, list):
        raise AnswerError(f"paraphrases are of type {type(paraphrases).__name__}")
    unread: list[Unread] = []
    kept = tuple(_texts(PARAPHRASE, paraphrases, unread))
    negatives = tuple(_near_misses(found["negatives"], unread))
    if not kept:
        raise AnswerError("no paraphrases")
    if not negatives:
        raise AnswerError("no near misses")
    return Answer(kept, negatives, tuple(unread))


def _near_misses(negatives: Any, unread: list[Unread]) -> Iterator[tuple[str, str]]:
    """Near misses by trap, from ``{trap: text}`` or ``[{"trap": …, "text": …}]``."""
    if isinstance(negatives, dict):
        named = list(negatives.items())
    elif isinstance(negatives, list):
        named = [
            (row.get("trap"), row.get("text") or row.get("query"))
            if isinstance(row, dict) and ("text" in row or "query" in row)
            else ("none", row)
            for row in negatives
        ]
    else:
        raise AnswerError(f"negatives are of type {type(negatives).__name__}")
    for name, value in named:
        trap = str(name).strip().lower()
        # some models give several for a trap, as a list
        values = value if isinstance(value, list) else [value]
        if trap in TRAPS:
            yield from ((trap, text) for text in _texts(NEGATIVE, values, unread))
        else:
            reason = f"trap {str(name)[:60]!a} was not asked for"
            unread += [_unread(NEGATIVE, value, reason) for value in values if value]


def _texts(kind: str, values: list[Any], unread: list[Unread]) -> Iterator[str]:
    """Texts in one line each; notes what is none.

    Half a character, as a JSON escape can write it, and control characters make it none. Joiners
    and marks of direction are not printable, either, but some scripts cannot be written without.
    """
    for value in values:
        if isinstance(value, str):
            text = " ".join(value.split())
            if not text.isprintable() and any(category(sign) in ("Cc", "Cs") for sign in text):
                unread.append(_unread(kind, value, "holds control or half characters"))
            elif text:
                yield text
        elif value is not None:
            unread.append(_unread(kind, value, f"is of type {type(value).__name__}"))


def _unread(kind: str, value: Any, reason: str) -> Unread:
    return Unread(kind, json.dumps(value)[:_MOST_SHOWN], reason)
