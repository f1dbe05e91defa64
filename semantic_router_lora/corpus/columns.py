"""The columns of Parquet shards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_router_lora.errors import DataError

if TYPE_CHECKING:
    import pyarrow
    from numpy.typing import NDArray

VECTOR = "vector"


class ColumnTypes:
    """For each field of some rows the one type that holds all its values.

    Args:
        path: the file that the rows come from, for messages.

    Attributes:
        widened: whether values of several types met in a field: then it takes `row_batch` to say
            whether the one type holds each of them. A float holds no integer of 17 digits.
    """

    def __init__(self, path: Path) -> None:
        self.widened = False
        self._path = path
        self._types: dict[str, Any] = {}

    def add(self, rows: Sequence[dict[str, Any]], places: Sequence[int]) -> None:
        """Take further rows into account; places are the numbers of their lines.

        Raises:
            DataError: if a field has no one type, with the first line that does not fit.
        """
        import pyarrow

        for name in dict.fromkeys(name for row in rows for name in row):
            known = self._types.get(name, pyarrow.null())
            try:
                kind = _common_type(name, known, [row.get(name) for row in rows])
            except _refusals() as error:
                place = _place_of_misfit(name, known, rows, places)
                raise _misfit(f"{self._path}:{place}", name, error) from error
            self.widened |= kind != known and not pyarrow.types.is_null(known)
            self._types[name] = kind

    def schema(self) -> pyarrow.Schema:
        """All fields in the order in which they were met.

        Raises:
            DataError: if Parquet has no such column.
        """
        import pyarrow

        # a column without any value is one of texts, as its neighbours are
        schema = pyarrow.schema(
            [
                (name, pyarrow.string() if pyarrow.types.is_null(kind) else kind)
                for name, kind in self._types.items()
            ]
        )
        check_columns(self._path, schema)
        return schema


def row_batch(
    path: Path, rows: Sequence[dict[str, Any]], places: Sequence[int], schema: pyarrow.Schema
) -> pyarrow.RecordBatch:
    """Rows as columns of given types; a field that a row lacks is null.

    Raises:
        DataError: if a value does not fit, with its line.
    """
    import pyarrow

    arrays = []
    for field in schema:
        try:
            arrays.append(pyarrow.array([row.get(field.name) for row in rows], field.type))
        except _refusals() as error:
            place = _place_of_misfit(field.name, field.type, rows, places)
            raise _misfit(f"{path}:{place}", field.name, error) from error
    return pyarrow.record_batch(arrays, schema=schema)


def check_columns(path: Path, schema: pyarrow.Schema) -> None:
    """Refuse columns that cannot be written together with the vectors.

    Raises:
        DataError: if one is called as that of the vectors, or is of a type that Parquet lacks.
    """
    import pyarrow.parquet

    if VECTOR in schema.names:
        raise DataError(f"{path}: has a field {VECTOR!r} already, and Parquet shards add one")
    for field in schema:
        one = pyarrow.schema([field])
        try:
            pyarrow.parquet.write_table(one.empty_table(), pyarrow.BufferOutputStream())
        except pyarrow.ArrowException as error:
            raise _misfit(f"{path}", field.name, error) from error


def with_vectors(schema: pyarrow.Schema, dim: int) -> pyarrow.Schema:
    """The schema of a shard: the columns of the rows and their vectors, float32 (dim)."""
    import pyarrow

    return schema.append(pyarrow.field(VECTOR, pyarrow.list_(pyarrow.float32(), dim)))


def vector_column(vectors: NDArray[Any]) -> pyarrow.Array:
    """Vectors (rows, dim) as a column of lists of fixed size."""
    import pyarrow

    return pyarrow.FixedSizeListArray.from_arrays(
        pyarrow.array(vectors.reshape(-1)), vectors.shape[1]
    )


def _common_type(name: str, known: pyarrow.DataType, values: list[Any]) -> pyarrow.DataType:
    """The type that holds the values and those of a known type."""
    import pyarrow

    found = pyarrow.array(values).type
    both = [pyarrow.schema([(name, kind)]) for kind in (known, found)]
    common = pyarrow.unify_schemas(both, promote_options="permissive").field(name).type
    if common != found:
        pyarrow.array(values, common)
    return common


def _place_of_misfit(
    name: str, kind: pyarrow.DataType, rows: Sequence[dict[str, Any]], places: Sequence[int]
) -> int:
    """The place of the first row that does not go with those before it, or with all of them."""
    import pyarrow

    held = [(place, [row[name]]) for place, row in zip(places, rows, strict=True) if name in row]
    for place, value in held:
        try:
            kind = _common_type(name, kind, value)
        except _refusals():
            return place
    for place, value in held:
        try:
            pyarrow.array(value, kind)
        except _refusals():
            return place
    return places[0]


def _refusals() -> tuple[type[Exception], ...]:
    """What pyarrow raises for values that have no one type."""
    import pyarrow

    # a lone surrogate, in a text or in a name, is none of its own exceptions
    return pyarrow.ArrowException, OverflowError, UnicodeEncodeError


def _misfit(where: str, name: str, error: Exception) -> DataError:
    return DataError(f"{where}: field {name!r} fits into no Parquet column: {error}")
