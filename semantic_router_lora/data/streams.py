"""Streams of queries, each with the answer that it needs."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semantic_router_lora.data.triplets import Triplet, check_unicode, json_lines
from semantic_router_lora.data.words import plain
from semantic_router_lora.errors import DataError

_ANSWER_FIELDS = ("answer", "intent", "label", "group")


@dataclass(frozen=True)
class Query:
    """A text, and a name for the answer that serves it: queries of one answer are paraphrases."""

    text: str
    answer: str


def triplet_stream(triplets: Iterable[Triplet], seed: int, file: str = "") -> list[Query]:
    """Anchor and positive share an answer, the negative has its own; in random order.

    Texts that are equal to `plain` have one answer, and so have rows that share a paraphrase.

    Args:
        triplets: at least one.
        seed: of the order.
        file: that they come from; answers of two files are different.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    held = [text for triplet in triplets for text in triplet.texts]
    numbers: dict[str, int] = {}
    of_text = [numbers.setdefault(plain(text), len(numbers)) for text in held]
    anchors, positives = of_text[::3], of_text[1::3]
    size = len(numbers)
    graph = coo_array(([1] * len(anchors), (anchors, positives)), shape=(size, size))
    _, answers = connected_components(graph, directed=False)
    queries = [
        Query(text, f"{file}/{answers[number]}") for text, number in zip(held, of_text, strict=True)
    ]
    random.Random(seed).shuffle(queries)
    return queries


def read_stream(path: Path) -> Iterator[Query]:
    """Read JSON lines with ``text`` and ``answer`` (or ``intent``, ``label``, ``group``), in order.

    The first of the four fields that is not empty names the answer.

    Raises:
        DataError: as the file is read, with the line that is wrong.
    """
    for number, row in json_lines(path):
        yield _query(row, f"{path}:{number}", str(path))


def _query(row: Any, where: str, file: str) -> Query:
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected an object, got {type(row).__name__}")
    text = row.get("text")
    names = (row.get(name) for name in _ANSWER_FIELDS)
    answer = next((name for name in names if name is not None and f"{name}".strip()), None)
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"{where}: field 'text' is {text!r}, expected a text")
    check_unicode(text, f"{where}: field 'text'")
    if not isinstance(answer, (str, int)):
        raise DataError(f"{where}: no field of {', '.join(_ANSWER_FIELDS)} names the answer")
    return Query(text, f"{file}/{answer}")  # equal names in two files are different answers
