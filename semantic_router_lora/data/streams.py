"""Streams of queries, each with the answer that it needs."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semantic_router_lora.data.triplets import Triplet, check_unicode, json_lines
from semantic_router_lora.errors import DataError

_ANSWER_FIELDS = ("answer", "intent", "label", "group")


@dataclass(frozen=True)
class Query:
    """A text, and a name for the answer that serves it: queries of one answer are paraphrases."""

    text: str
    answer: str


def triplet_stream(triplets: Iterable[Triplet], seed: int) -> list[Query]:
    """Anchor and positive share an answer, the negative has its own; in random order."""
    queries = []
    for number, triplet in enumerate(triplets):
        queries += [Query(text, f"{number}") for text in (triplet.anchor, triplet.positive)]
        queries.append(Query(triplet.negative, f"{number}-other"))
    random.Random(seed).shuffle(queries)
    return queries


def read_stream(path: Path) -> Iterator[Query]:
    """Read JSON lines with ``text`` and ``answer`` (or ``intent``, ``label``, ``group``), in order.

    Raises:
        DataError: as the file is read, with the line that is wrong.
    """
    for number, row in json_lines(path):
        yield _query(row, f"{path}:{number}", path.name)


def _query(row: Any, where: str, file: str) -> Query:
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected an object, got {type(row).__name__}")
    text = row.get("text")
    answer = next((row[name] for name in _ANSWER_FIELDS if row.get(name) is not None), None)
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"{where}: field 'text' is {text!r}, expected a text")
    check_unicode(text, f"{where}: field 'text'")
    if not isinstance(answer, (str, int)):
        raise DataError(f"{where}: no field of {', '.join(_ANSWER_FIELDS)} names the answer")
    return Query(text, f"{file}/{answer}")  # equal names in two files are different answers
