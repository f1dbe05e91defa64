"""Reading a file of texts as blocks of rows, in order."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_router_lora.corpus.columns import ColumnTypes, row_batch
from semantic_router_lora.data.files import SUFFIXES, file_rows
from semantic_router_lora.data.triplets import check_unicode
from semantic_router_lora.errors import DataError, require

if TYPE_CHECKING:
    import pyarrow

# Rows that are embedded together: wide enough to sort by length, few enough to hold dozens.
BLOCK_ROWS = 2048


@dataclass(frozen=True)
class Block:
    """Some consecutive rows of one shard.

    Attributes:
        start: number of its first row in the file, from 0.
        shard: number of the shard that it belongs to.
        texts: what is embedded.
        places: of each row, what a message calls it: the number of its line, or of the row.
        columns: all columns of the rows; None if they are not kept.
    """

    start: int
    shard: int
    texts: list[str]
    places: list[int]
    columns: pyarrow.RecordBatch | None


@dataclass(frozen=True)
class Contents:
    """What a file holds: so many rows; of these columns, None if they are not kept."""

    rows: int
    schema: pyarrow.Schema | None


class Corpus(ABC):
    """A file with a text in every row. Blank texts are texts.

    Args:
        path: the file.
        field: the column with the text.
        keep_columns: whether blocks bring all columns along.
    """

    def __init__(self, path: Path, field: str, *, keep_columns: bool) -> None:
        self.path = path
        self.field = field
        self.keep_columns = keep_columns

    @abstractmethod
    def scan(self, progress: Callable[[int], object]) -> Contents:
        """Read the whole file, and check every row.

        Args:
            progress: is told how many more rows were read.

        Raises:
            DataError: if a row holds no text, with its place; if the columns fit no Parquet file.
        """

    @abstractmethod
    def blocks(
        self, contents: Contents, shard_rows: int, skipped: Collection[int]
    ) -> Iterator[Block]:
        """The rows in order, but for those of skipped shards.

        Raises:
            DataError: if the file is not what it was when it was scanned.
        """

    def _changed(self) -> DataError:
        return DataError(f"{self.path} changed while it was read")


def open_corpus(path: Path, field: str, *, keep_columns: bool) -> Corpus:
    """A .jsonl, .csv, .parquet or .txt file; of the last, every line is a text.

    Raises:
        DataError: if the file is missing or of another kind.
        MissingExtraError: for Parquet, or kept columns, without pyarrow.
    """
    suffix = path.suffix.lower()
    if suffix not in (*SUFFIXES, ".txt"):
        raise DataError(f"{path}: expected a file ending in {', '.join(SUFFIXES)} or .txt")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if suffix == ".parquet" or keep_columns:
        require("pyarrow", "data")
    if suffix == ".parquet":
        from semantic_router_lora.corpus.parquet_blocks import ParquetCorpus

        return ParquetCorpus(path, field, keep_columns=keep_columns)
    return RowCorpus(path, field, keep_columns=keep_columns)


def block_sizes(rows: int, shard_rows: int) -> Iterator[tuple[int, int, int]]:
    """(shard, first row, number of rows) of every block; none straddles two shards."""
    for shard, first in enumerate(range(0, rows, shard_rows)):
        end = min(first + shard_rows, rows)
        for start in range(first, end, BLOCK_ROWS):
            yield shard, start, min(BLOCK_ROWS, end - start)


class RowCorpus(Corpus):
    """JSON lines, CSV, or lines of text."""

    def scan(self, progress: Callable[[int], object]) -> Contents:
        """See `Corpus`."""
        types = ColumnTypes(self.path)
        rows = self._rows()
        count = 0
        while batch := list(itertools.islice(rows, BLOCK_ROWS)):
            count += len(batch)
            if self.keep_columns:
                types.add([row for _, _, row in batch], [place for place, _, _ in batch])
            progress(len(batch))
        schema = types.schema() if self.keep_columns else None
        if types.widened:
            rows = self._rows()
            while batch := list(itertools.islice(rows, BLOCK_ROWS)):
                places = [place for place, _, _ in batch]
                row_batch(self.path, [row for _, _, row in batch], places, schema)
        return Contents(count, schema)

    def blocks(
        self, contents: Contents, shard_rows: int, skipped: Collection[int]
    ) -> Iterator[Block]:
        """See `Corpus`."""
        rows = self._rows()
        for shard, start, size in block_sizes(contents.rows, shard_rows):
            if shard in skipped:
                next(itertools.islice(rows, size - 1, None), None)
                continue
            places, texts, held = [], [], []
            for place, text, row in itertools.islice(rows, size):
                places.append(place)
                texts.append(text)
                if self.keep_columns:
                    held.append(row)
            if len(texts) < size:
                raise self._changed()
            columns = None
            if contents.schema is not None:
                columns = row_batch(self.path, held, places, contents.schema)
            yield Block(start, shard, texts, places, columns)

    def _rows(self) -> Iterator[tuple[int, str, dict[str, Any]]]:
        if self.path.suffix.lower() == ".txt":
            for number, text in _lines(self.path):
                yield number, text, {self.field: text}
            return
        for number, row in file_rows(self.path):
            yield number, _text(row, self.field, f"{self.path}:{number}"), row


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Every line of a file with its number, blank lines included."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise DataError(f"{path}:{number}: not UTF-8: {error}") from error
            yield number, text.rstrip("\r\n")


def _text(row: Any, field: str, where: str) -> str:
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected an object, got {type(row).__name__}")
    if field not in row:
        raise DataError(f"{where}: no field {field!r}; the row has {', '.join(map(repr, row))}")
    text = row[field]
    if not isinstance(text, str):
        raise DataError(f"{where}: field {field!r} is {text!r}, expected a text")
    check_unicode(text, f"{where}: field {field!r}")
    return text
