"""Writing rows to .jsonl, .csv and .parquet files, whole or not at all."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_router_lora.data.files import SUFFIXES, json_lines
from semantic_router_lora.errors import DataError, InputError, require

if TYPE_CHECKING:
    import pyarrow

_BATCH = 10_000


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows in the format that the file's suffix names, and return how many they are.

    Rows are written as they come, so that any number of them takes little memory: to a file
    beside the one asked for, which replaces it when it is whole. Columns of CSV and Parquet are
    all fields that some row has; these formats are therefore written by way of JSON lines, in a
    temporary file beside. Fields that are None are left out of JSON lines and empty in CSV, where
    an empty text looks the same. CSV holds values that are not texts as JSON, and reads them back
    as texts. Values that JSON does not know, such as dates, become texts.

    Raises:
        InputError: if the suffix is none of .jsonl, .csv and .parquet, or the file cannot be made.
        DataError: if a row is not valid Unicode, or a field has no one type for Parquet.
        MissingExtraError: for Parquet without pyarrow.
    """
    check_output(path)
    with _unfinished(path) as unfinished:
        if path.suffix.lower() == ".jsonl":
            return _write_json_lines(unfinished, rows)
        spool = path.with_name(path.name + ".rows.part")
        columns: dict[str, None] = {}
        try:
            count = _write_json_lines(spool, _noting_columns(rows, columns))
            write = _write_csv if path.suffix.lower() == ".csv" else _write_parquet
            write(unfinished, spool, list(columns))
        finally:
            spool.unlink(missing_ok=True)
        return count


def check_output(path: Path) -> None:
    """Refuse a file that cannot be written, before the work that fills it.

    Raises:
        InputError: if its folder is missing or its suffix is not one that can be written.
        MissingExtraError: for Parquet without pyarrow.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"output {path}: expected a file ending in {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise InputError(f"output {path}: there is no folder {path.parent}")
    if suffix == ".parquet":
        require("pyarrow", "data")


@contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """A file beside the one asked for, which takes its place if all goes well."""
    unfinished = path.with_name(path.name + ".part")
    try:
        try:
            unfinished.touch()
        except OSError as error:
            raise InputError(f"output {path} cannot be written: {error.strerror}") from error
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def json_line(row: Mapping[str, Any]) -> str:
    """A row as one line of JSON, without its fields that are None.

    Raises:
        DataError: if it holds a lone surrogate, which no file can.
    """
    held = {key: value for key, value in row.items() if value is not None}
    line = json.dumps(held, ensure_ascii=False, default=str) + "\n"
    try:
        line.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(f"a row holds a lone surrogate, not valid Unicode: {held!a}") from error
    return line


def _write_json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json_line(row))
            count += 1
    return count


def _noting_columns(
    rows: Iterable[Mapping[str, Any]], columns: dict[str, None]
) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        columns.update(dict.fromkeys(row))
        yield row


def _write_csv(path: Path, spool: Path, columns: list[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for _, row in json_lines(spool):
            writer.writerow([_cell(row.get(name)) for name in columns])


def _cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def _write_parquet(path: Path, spool: Path, columns: list[str]) -> None:
    import pyarrow.parquet

    schema = _schema(path, spool, columns)
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for batch in _batches(spool):
            arrays = [
                pyarrow.array([row.get(field.name) for row in batch], field.type)
                for field in schema
            ]
            writer.write_batch(pyarrow.record_batch(arrays, schema=schema))


def _schema(path: Path, spool: Path, columns: list[str]) -> pyarrow.Schema:
    """For each field the one type that holds its values of all rows."""
    import pyarrow

    types = dict.fromkeys(columns, pyarrow.null())
    name = ""
    try:
        for batch in _batches(spool):
            for name, known in types.items():
                found = pyarrow.array([row.get(name) for row in batch]).type
                both = [pyarrow.schema([(name, kind)]) for kind in (known, found)]
                unified = pyarrow.unify_schemas(both, promote_options="permissive")
                types[name] = unified.field(name).type
    except (pyarrow.ArrowException, OverflowError) as error:
        file = path.name.removesuffix(".part")
        raise DataError(f"{file}: field {name!r} fits into no Parquet column: {error}") from error
    # a column without any value is one of texts, as its neighbours are
    return pyarrow.schema(
        [
            (name, pyarrow.string() if pyarrow.types.is_null(kind) else kind)
            for name, kind in types.items()
        ]
    )


def _batches(spool: Path) -> Iterator[list[dict[str, Any]]]:
    rows = (row for _, row in json_lines(spool))
    while batch := list(itertools.islice(rows, _BATCH)):
        yield batch
