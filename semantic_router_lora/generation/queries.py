"""A file of queries, read as a stream and scanned once before anything is paid for."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.data.files import file_rows
from semantic_router_lora.errors import DataError
from semantic_router_lora.generation.shard import Shard

FIELDS = ("query", "text", "question", "anchor")
MOST_CHARACTERS = 2_000

_PIECE = 1_000_000

# What a row is, besides a query to ask (0).
BLANK, DUPLICATE, TOO_LONG, NOT_UNICODE, OTHER_SHARD = 1, 2, 3, 4, 5
REASONS = {
    BLANK: "no text",
    DUPLICATE: "stands in an earlier row",
    TOO_LONG: f"longer than {MOST_CHARACTERS} characters",
    NOT_UNICODE: "not valid Unicode",
}


@dataclass(frozen=True)
class QueryFile:
    """What a scan of a query file found; holds one byte a row, not the texts.

    Attributes:
        path: the file.
        field: the field with the text, or None for a text file.
        kinds: uint8 (rows,): 0 for a query to ask, else a number of `REASONS` or `OTHER_SHARD`.
        sha256: over all texts in order, so that an unfinished job knows its file again.
    """

    path: Path
    field: str | None
    kinds: NDArray[np.uint8]
    sha256: str

    def __len__(self) -> int:
        return len(self.kinds)

    def texts(self) -> Iterator[tuple[int, str]]:
        """The row, counted from 0, and the text of every query that is to be asked.

        Rows that were added to the file since the scan are left out.

        Raises:
            DataError: if the others have changed; known after the last of them.
        """
        whole = hashlib.sha256()
        for row, text in zip(range(len(self)), _texts(self.path, self.field), strict=False):
            whole.update(_bytes(text))
            if self.kinds[row] == 0:
                yield row, " ".join(text.split())
        if whole.hexdigest() != self.sha256:
            raise DataError(f"{self.path}: has changed while it was being read")


def query_key(text: str) -> str:
    """16 hexadecimal digits; the same for texts that differ in case and spaces alone."""
    return f"{_digest(text):016x}"


def scan_queries(path: Path, field: str | None = None, shard: Shard | None = None) -> QueryFile:
    """Read a .txt file (a query a line), or .jsonl, .csv or .parquet with a field of that name.

    Takes at most 25 bytes of memory a row.

    Args:
        path: the file.
        field: the field with the text; None takes the first of `FIELDS` that the first row has.
        shard: take only the rows of this shard, so that equal texts fall into the same one.

    Raises:
        DataError: if the file is missing, broken, of another kind, without rows or the field.
        MissingExtraError: for Parquet without pyarrow.
    """
    shard = shard or Shard()
    if path.suffix.lower() != ".txt" and field is None:
        field = _first_field(path)
    kinds = bytearray()
    digests = array("Q")
    whole = hashlib.sha256()
    for text in _texts(path, field):
        digest = _digest(text)
        mine = digest % shard.count == shard.index - 1
        kinds.append(_kind(text) if mine else OTHER_SHARD)
        digests.append(0 if kinds[-1] else digest)
        whole.update(_bytes(text))
    if not kinds:
        raise DataError(f"{path}: holds no queries")
    found = np.frombuffer(kinds, dtype=np.uint8)
    _mark_duplicates(found, np.frombuffer(digests, dtype=np.uint64))
    return QueryFile(path, field, found, whole.hexdigest())


def _mark_duplicates(kinds: NDArray[np.uint8], digests: NDArray[np.uint64]) -> None:
    """Mark every query to ask whose digest stands in an earlier row, in pieces to save memory."""
    order = np.argsort(digests, kind="stable")
    for start in range(1, len(order), _PIECE):
        rows = order[start - 1 : start + _PIECE]
        sorted_digests = digests[rows]
        later = rows[1:][sorted_digests[1:] == sorted_digests[:-1]]
        kinds[later[kinds[later] == 0]] = DUPLICATE


def _kind(text: str) -> int:
    if not text.strip():
        return BLANK
    if len(text) > MOST_CHARACTERS:
        return TOO_LONG
    try:
        text.encode()
    except UnicodeEncodeError:
        return NOT_UNICODE
    return 0


def _digest(text: str) -> int:
    plain = " ".join(text.casefold().split())
    data = plain.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "big")


def _bytes(text: str) -> bytes:
    """What a row adds to the digest of the file."""
    return text.encode("utf-8", "surrogatepass") + b"\n"


def _first_field(path: Path) -> str:
    _, row = next(file_rows(path), (0, None))
    if row is None:
        raise DataError(f"{path}: holds no queries")
    if isinstance(row, dict):
        for field in FIELDS:
            if field in row:
                return field
        raise DataError(
            f"{path}: the first row has {', '.join(map(repr, row))} and none of "
            f"{', '.join(FIELDS)}; name the field with the query"
        )
    raise DataError(f"{path}: expected rows of objects, got {type(row).__name__}")


def _texts(path: Path, field: str | None) -> Iterator[str]:
    """The text of every row; an empty one where the row has none."""
    if path.suffix.lower() == ".txt":
        yield from _lines(path)
        return
    for number, row in file_rows(path):
        if not isinstance(row, dict):
            raise DataError(f"{path}:{number}: expected an object, got {type(row).__name__}")
        if field not in row:
            raise DataError(
                f"{path}:{number}: no field {field!r}; the row has {', '.join(map(repr, row))}"
            )
        value: Any = row[field]
        if value is not None and not isinstance(value, str):
            raise DataError(f"{path}:{number}: field {field!r} is {value!r}, expected a text")
        yield value or ""


def _lines(path: Path) -> Iterator[str]:
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise DataError(f"{path}:{number}: not UTF-8: {error}") from error
