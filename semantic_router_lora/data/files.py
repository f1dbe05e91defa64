"""Reading rows of .jsonl, .csv and .parquet files, one after the other."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from semantic_router_lora.errors import DataError, require

SUFFIXES = (".jsonl", ".csv", ".parquet")

_BATCH = 1000
# Characters of a field of CSV: no text is as long, and a quote that never ends fits into memory.
_LONGEST_FIELD = 1 << 27


def file_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """The number and the content of each row of a .jsonl, .csv or .parquet file.

    The file is read as the rows are taken, and is never in memory as a whole.

    Raises:
        DataError: if the file is missing, of another kind, or broken.
        MissingExtraError: for Parquet without pyarrow.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    readers = dict(zip(SUFFIXES, (json_lines, _csv_rows, _parquet_rows), strict=True))
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: expected a file ending in {', '.join(SUFFIXES)}")
    yield from reader(path)


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
    number = 0
    # of the whole process, and csv's own limit refuses texts that JSON lines may hold
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            # strict, since a stray quote swallows the rows up to the next one
            reader = csv.DictReader(file, strict=True)
            _check_header(path, reader.fieldnames or ())
            number = reader.line_num
            for row in reader:
                number = reader.line_num
                if None in row:
                    raise DataError(f"{path}:{number}: has more fields than the first line")
                yield number, row
    except csv.Error as error:
        raise DataError(
            f"{path}:{number + 1}: the row that begins here is not valid CSV: {error}"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 after line {number}: {error}") from error


def _check_header(path: Path, names: Sequence[str]) -> None:
    # spreadsheets write columns without a name, which nothing can ask for
    repeated = next((name for name, count in Counter(names).items() if name and count > 1), None)
    if repeated is not None:
        raise DataError(f"{path}:1: two columns are called {repeated!r}")


def _parquet_rows(path: Path) -> Iterator[tuple[int, Any]]:
    require("pyarrow", "data")
    import pyarrow.parquet

    number = 0
    try:
        # a buffer would hold on to all that was read until the file is closed
        with pyarrow.parquet.ParquetFile(path, pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (OSError, pyarrow.ArrowException) as error:
        after = f" after row {number}" if number else ""
        raise DataError(f"{path}: not valid Parquet{after}: {error}") from error
