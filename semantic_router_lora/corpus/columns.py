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
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._types: dict[str, Any] = {}

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Take further rows into account.

        Raises:
            DataError: if a field has no one type.
        """
        import pyarrow

        for name in dict.fromkeys(name for row in rows for name in row):
            try:
                found = pyarrow.array([row.get(name) for row in rows]).type
                known = self._types.get(name, pyarrow.null())
                both = [pyarrow.schema([(name, kind)]) for kind in (known, found)]
                unified = pyarrow.unify_schemas(both, promote_options="permissive")
            except (pyarrow.ArrowException, OverflowError) as error:
                raise _misfit(self._path, name, error) from error
            self._types[name] = unified.field(name).type

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
    path: Path, rows: Sequence[dict[str, Any]], schema: pyarrow.Schema
) -> pyarrow.RecordBatch:
    """Rows as columns of given types; a field that a row lacks is null.

    Raises:
        DataError: if a value does not fit, because the file changed.
    """
    import pyarrow

    arrays = []
    for field in schema:
        try:
            arrays.append(pyarrow.array([row.get(field.name) for row in rows], field.type))
        except (pyarrow.ArrowException, OverflowError) as error:
            raise _misfit(path, field.name, error) from error
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
            raise _misfit(path, field.name, error) from error


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


def _misfit(path: Path, name: str, error: Exception) -> DataError:
    return DataError(f"{path}: field {name!r} fits into no Parquet column: {error}")
