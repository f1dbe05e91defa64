"""Labelled pairs of questions: same answer, or not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semantic_router_lora.data.triplets import json_lines, read_triplets, text_field
from semantic_router_lora.data.words import plain
from semantic_router_lora.errors import DataError

_NAMES = (("a", "b"), ("text1", "text2"), ("sentence1", "sentence2"), ("question1", "question2"))
_TRUE = (1, 1.0, True, "1", "true", "same")
_FALSE = (0, 0.0, False, "0", "false", "different")


@dataclass(frozen=True)
class Pair:
    """Two texts, and whether one answer serves both."""

    first: str
    second: str
    same: bool


def read_pairs(path: Path) -> list[Pair]:
    """Read pairs from JSON lines, or make two of each triplet of a triplet file.

    Pairs come as JSON lines only: a .csv or .parquet file is read as triplets. A line holds two
    texts (``a``/``b``, ``text1``/``text2``, ``sentence1``/``sentence2`` or
    ``question1``/``question2``) and a ``label`` of 1 or 0.

    Raises:
        DataError: if the file cannot be used, with the line; or if all labels are the same.
    """
    pairs = _triplet_pairs(path) if holds_triplets(path) else _labelled_pairs(path)
    if len({pair.same for pair in pairs}) < 2:
        kind = "same" if pairs[0].same else "different"
        raise DataError(f"{path}: all {len(pairs)} pairs are labelled {kind}; both are needed")
    return pairs


def holds_triplets(path: Path) -> bool:
    """Whether a file is of a kind that only triplets come in, or its first row has an anchor.

    Raises:
        DataError: if there is no such file, or its first row cannot be read.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if path.suffix.lower() in (".csv", ".parquet"):
        return True
    _, row = next(json_lines(path), (0, {}))
    return isinstance(row, dict) and "anchor" in row


def _triplet_pairs(path: Path) -> list[Pair]:
    return [
        Pair(triplet.anchor, other, same)
        for triplet in read_triplets(path)
        for other, same in ((triplet.positive, True), (triplet.negative, False))
    ]


def _labelled_pairs(path: Path) -> list[Pair]:
    pairs = [labelled_pair(row, f"{path}:{number}") for number, row in json_lines(path)]
    if not pairs:
        raise DataError(f"{path}: holds no pairs")
    return pairs


def labelled_pair(row: Any, where: str) -> Pair:
    """A row of two texts and a label.

    Raises:
        DataError: if it is none.
    """
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected an object, got {type(row).__name__}")
    names = next((names for names in _NAMES if all(name in row for name in names)), None)
    if names is None:
        expected = " or ".join("/".join(names) for names in _NAMES)
        raise DataError(f"{where}: expected two texts as {expected}")
    first, second = (text_field(row, name, where) for name in names)
    label = row.get("label")
    if label not in _TRUE + _FALSE:
        raise DataError(f"{where}: label is {label!r}, expected 1 or 0")
    return Pair(first, second, label in _TRUE)


def distinct_pairs(pairs: Iterable[Pair]) -> list[Pair]:
    """The pairs without those that repeat an earlier one: they are no evidence of their own.

    Order does not make two pairs, nor does what `plain` leaves out of a text.
    """
    distinct: dict[tuple[frozenset[str], bool], Pair] = {}
    for pair in pairs:
        texts = frozenset((plain(pair.first), plain(pair.second)))
        distinct.setdefault((texts, pair.same), pair)
    return list(distinct.values())
