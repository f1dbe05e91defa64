"""Triplets (anchor, positive, negative) and the files that hold them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from semantic_router_lora.data.files import file_rows as file_rows
from semantic_router_lora.data.files import json_lines as json_lines
from semantic_router_lora.errors import DataError

TRAPS = ("aspect", "entity", "number", "negation", "scope", "role")

LABELS = ("anchor", "positive", "negative")
# The test sets of the reference system call the third field so.
_ALIASES = {"hard_negative": "negative"}


@dataclass(frozen=True)
class Triplet:
    """A question, a paraphrase of it, and a near miss.

    Attributes:
        anchor: a question whose answer a cache holds.
        positive: another wording; the same answer serves it.
        negative: close to the anchor, but its answer is another.
        domain: such as ``medical``.
        source: where the row comes from.
        group: rows of one group never straddle splits.
        trap: why the negative is wrong, one of `TRAPS`.
    """

    anchor: str
    positive: str
    negative: str
    domain: str | None = None
    source: str | None = None
    group: str | None = None
    trap: str | None = None

    @property
    def texts(self) -> tuple[str, str, str]:
        """Anchor, positive and negative."""
        return (self.anchor, self.positive, self.negative)


_FIELDS = tuple(field.name for field in fields(Triplet))


def read_triplets(path: Path) -> list[Triplet]:
    """Read a .jsonl, .csv or .parquet file of triplets.

    Unknown fields are passed over; ``hard_negative`` is read as ``negative``.

    Raises:
        DataError: if the file is missing, empty, not UTF-8 or of another kind, or a row lacks a
            field or holds no text in it; the message names the line.
        MissingExtraError: for Parquet without pyarrow.
    """
    return list(iter_triplets(path))


def iter_triplets(path: Path) -> Iterator[Triplet]:
    """Read a file as `read_triplets` does, one triplet after the other.

    Raises:
        DataError: as `read_triplets` does, when the row in question is reached.
        MissingExtraError: for Parquet without pyarrow.
    """
    empty = True
    for number, row in file_rows(path):
        yield parse_triplet(row, f"{path}:{number}")
        empty = False
    if empty:
        raise DataError(f"{path}: holds no triplets")


def write_triplets(path: Path, triplets: Iterable[Triplet]) -> None:
    """Write triplets as JSON lines, leaving out fields that are None."""
    with path.open("w", encoding="utf-8") as file:
        for triplet in triplets:
            row = {key: value for key, value in asdict(triplet).items() if value is not None}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def parse_triplet(row: Any, where: str) -> Triplet:
    """A row as a triplet; ``where`` is the file and the number of the row, for messages.

    Raises:
        DataError: if it is no object, lacks a field, or a field holds no text.
    """
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected an object, got {type(row).__name__}")
    named = named_fields(row)
    for name in LABELS:
        text_field(named, name, where)
    return Triplet(**{name: _optional_text(named, name, where) for name in _FIELDS})  # type: ignore[arg-type]


def named_fields(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its fields under the names that this package has for them."""
    named = dict(row)
    for alias, name in _ALIASES.items():
        if alias in named:
            value = named.pop(alias)
            if named.get(name) in (None, ""):  # CSV has no other way to say that there is none
                named[name] = value
    return named


def held_fields(row: dict[str, Any]) -> dict[str, Any]:
    """The fields of a row that are not empty, under the names that this package has for them."""
    return {name: value for name, value in named_fields(row).items() if value not in (None, "")}


def text_field(row: dict[str, Any], name: str, where: str) -> str:
    """A field that must hold a text.

    Raises:
        DataError: if it is missing, no text, blank, or not valid Unicode.
    """
    if name not in row:
        raise DataError(f"{where}: no field {name!r}; the row has {', '.join(map(repr, row))}")
    value = row[name]
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{where}: field {name!r} is {value!r}, expected a text")
    check_unicode(value, f"{where}: field {name!r}")
    return value


def check_unicode(text: str, where: str) -> None:
    """Refuse a text that cannot be encoded.

    Raises:
        DataError: if it holds a lone surrogate, as JSON escapes can.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(f"{where} holds a lone surrogate: it is not valid Unicode") from error


def _optional_text(row: dict[str, Any], name: str, where: str) -> str | None:
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        check_unicode(value, f"{where}: field {name!r}")
        return value or None
    raise DataError(f"{where}: field {name!r} is {value!r}, expected a text")
