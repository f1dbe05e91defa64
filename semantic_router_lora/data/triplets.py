"""Triplets (anchor, positive, negative) and the files that hold them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from semantic_router_lora.errors import DataError, require

TRAPS = ("aspect", "entity", "number", "negation", "scope", "role")

_REQUIRED = ("anchor", "positive", "negative")
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
    triplets = [_triplet(row, f"{path}:{number}") for number, row in file_rows(path)]
    if not triplets:
        raise DataError(f"{path}: holds no triplets")
    return triplets


def file_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """The number and the content of each row of a .jsonl, .csv or .parquet file.

    Raises:
        DataError: if the file is missing, of another kind, or broken.
        MissingExtraError: for Parquet without pyarrow.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    readers = {".jsonl": json_lines, ".csv": _csv_rows, ".parquet": _parquet_rows}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: expected a file ending in {', '.join(readers)}")
    yield from reader(path)


def write_triplets(path: Path, triplets: Iterable[Triplet]) -> None:
    """Write triplets as JSON lines, leaving out fields that are None."""
    with path.open("w", encoding="utf-8") as file:
        for triplet in triplets:
            row = {key: value for key, value in asdict(triplet).items() if value is not None}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _triplet(row: Any, where: str) -> Triplet:
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected an object, got {type(row).__name__}")
    named = named_fields(row)
    for name in _REQUIRED:
        text_field(named, name, where)
    return Triplet(**{name: _optional_text(named, name, where) for name in _FIELDS})  # type: ignore[arg-type]


def named_fields(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its fields under the names that this package has for them."""
    named = dict(row)
    for alias, name in _ALIASES.items():
        if alias in named:
            value = named.pop(alias)
            if named.get(name) is None:
                named[name] = value
    return named


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
    if value is None or isinstance(value, str):
        return value or None
    raise DataError(f"{where}: field {name!r} is {value!r}, expected a text")


def json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """The number and the content of each line that is not blank.

    Raises:
        DataError: if there is no such file; with the line, if it is not UTF-8 or not JSON.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                if text.strip():
                    yield number, json.loads(text)
            except UnicodeDecodeError as error:
                raise DataError(f"{path}:{number}: not UTF-8: {error}") from error
            except (ValueError, RecursionError) as error:
                if isinstance(error, DataError):  # thrown in by whoever reads the rows
                    raise
                raise DataError(f"{path}:{number}: not valid JSON: {error}") from error


def _csv_rows(path: Path) -> Iterator[tuple[int, Any]]:
    number = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            for row in reader:
                number = reader.line_num
                if None in row:
                    raise DataError(f"{path}:{number}: has more fields than the first line")
                yield number, row
    except csv.Error as error:
        raise DataError(f"{path}: not valid CSV after line {number}: {error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 after line {number}: {error}") from error


def _parquet_rows(path: Path) -> Iterator[tuple[int, Any]]:
    require("pyarrow", "train")
    import pyarrow.parquet

    try:
        rows = pyarrow.parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{path}: not valid Parquet: {error}") from error
    yield from enumerate(rows, start=1)
