"""The files that are mined: groups, pairs, cache logs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semantic_router_lora.data.pairs import Pair, labelled_pair
from semantic_router_lora.data.triplets import (
    check_unicode,
    file_rows,
    named_fields,
    text_field,
)
from semantic_router_lora.errors import DataError

_TEXT_FIELDS = ("text", "question", "query", "utterance")
_GROUP_FIELDS = ("group", "intent", "label", "answer", "category")
_RIGHT = ("1", "true", "yes", "right")
_WRONG = ("0", "false", "no", "wrong")


@dataclass(frozen=True)
class Hit:
    """A query that a cache was asked.

    Attributes:
        query: what was asked.
        cached: the stored query whose answer was served; None for a miss.
        correct: whether that answer was right; None if nobody said.
    """

    query: str
    cached: str | None
    correct: bool | None


def read_groups(path: Path) -> dict[str, list[str]]:
    """Read groups of equivalent texts, or texts with labels, from .jsonl, .csv or .parquet.

    A row holds a text (``text``, ``question``, ``query`` or ``utterance``) and the name of its
    group (``group``, ``intent``, ``label``, ``answer`` or ``category``, the first that the row
    has); or, as a group of its own, a list ``texts``.

    Raises:
        DataError: if the file cannot be used, with the row.
        MissingExtraError: for Parquet without pyarrow.
    """
    groups: dict[str, list[str]] = {}
    for number, row in file_rows(path):
        where = f"{path}:{number}"
        checked = _object(row, where)
        texts = checked.get("texts")
        name = next((checked[f] for f in _GROUP_FIELDS if checked.get(f) not in (None, "")), None)
        if texts is None:
            texts = [_first(checked, _TEXT_FIELDS, where)]
            if not isinstance(name, (str, int)):
                raise DataError(f"{where}: no field of {', '.join(_GROUP_FIELDS)} names the group")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise DataError(f"{where}: field 'texts' is {texts!r}, expected a list of texts")
        for text in texts:
            check_unicode(text, where)
        groups.setdefault(str(f"row {number}" if name is None else name), []).extend(texts)
    if not groups:
        raise DataError(f"{path}: holds no rows")
    return groups


def read_linked_pairs(path: Path) -> Iterator[Pair]:
    """Read pairs of texts, labelled or not, from .jsonl, .csv or .parquet.

    A row holds ``anchor`` and ``positive``, and ``negative`` if it likes, as triplets do; or two
    texts and a label, as `data.pairs` reads them, with ``is_duplicate`` as another name of it.

    Raises:
        DataError: if the file cannot be used, with the row.
        MissingExtraError: for Parquet without pyarrow.
    """
    empty = True
    for number, row in file_rows(path):
        empty = False
        where = f"{path}:{number}"
        fields = named_fields(_object(row, where))
        if "anchor" not in fields:
            fields.setdefault("label", fields.get("is_duplicate"))
            yield labelled_pair(fields, where)
            continue
        anchor = text_field(fields, "anchor", where)
        yield Pair(anchor, text_field(fields, "positive", where), same=True)
        if fields.get("negative"):
            yield Pair(anchor, text_field(fields, "negative", where), same=False)
    if empty:
        raise DataError(f"{path}: holds no rows")


def read_log(path: Path) -> Iterator[Hit]:
    """Read a cache log from .jsonl, .csv or .parquet.

    A row holds ``query``, ``cached`` (null or empty for a miss) and ``correct`` (true or false;
    null or empty if nobody judged the hit).

    Raises:
        DataError: if the file cannot be used, with the row.
        MissingExtraError: for Parquet without pyarrow.
    """
    empty = True
    for number, row in file_rows(path):
        empty = False
        where = f"{path}:{number}"
        fields = _object(row, where)
        query = _first(fields, ("query",), where)
        if "cached" not in fields:
            raise DataError(f"{where}: no field 'cached'")
        cached = None if fields["cached"] is None else _first(fields, ("cached",), where)
        yield Hit(query, cached or None, _judgement(fields, where))
    if empty:
        raise DataError(f"{path}: holds no rows")


def _object(row: Any, where: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected an object, got {type(row).__name__}")
    return row


def _first(row: dict[str, Any], names: tuple[str, ...], where: str) -> str:
    """The first of these fields that the row has; may be blank."""
    name = next((name for name in names if name in row), None)
    if name is None:
        raise DataError(f"{where}: no field {' or '.join(map(repr, names))}")
    text = row[name]
    if not isinstance(text, str):
        raise DataError(f"{where}: field {name!r} is {text!r}, expected a text")
    check_unicode(text, f"{where}: field {name!r}")
    return text


def _judgement(row: dict[str, Any], where: str) -> bool | None:
    value = row.get("correct")
    if value is None or value == "":
        return None
    name = str(value).lower()
    if name not in _RIGHT + _WRONG:
        raise DataError(f"{where}: field 'correct' is {value!r}, expected true or false")
    return name in _RIGHT
