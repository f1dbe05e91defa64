"""Writing shards: beside the file that they become, and renamed when they are whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from semantic_router_lora.corpus.columns import vector_column, with_vectors
from semantic_router_lora.corpus.manifest import Shard

if TYPE_CHECKING:
    import pyarrow
    from numpy.typing import NDArray

    from semantic_router_lora.corpus.blocks import Block


class ShardFile(Protocol):
    """An open file of vectors."""

    def write(self, block: Block, vectors: NDArray[np.float32]) -> None:
        """Append the rows of a block and their vectors, (rows, dim)."""

    def close(self) -> None:
        """Finish the file."""


class NpyFile:
    """float32 (rows, dim), little-endian, as `numpy.load` reads it."""

    def __init__(self, path: Path, rows: int, dim: int) -> None:
        self._file = path.open("wb")
        header = {"descr": "<f4", "fortran_order": False, "shape": (rows, dim)}
        np.lib.format.write_array_header_1_0(self._file, header)

    def write(self, block: Block, vectors: NDArray[np.float32]) -> None:
        """See `ShardFile`."""
        self._file.write(np.ascontiguousarray(vectors, dtype="<f4").data)

    def close(self) -> None:
        """See `ShardFile`."""
        self._file.close()


class ParquetFile:
    """All columns of the rows, and ``vector``: lists of fixed size of float32."""

    def __init__(self, path: Path, schema: pyarrow.Schema, dim: int) -> None:
        import pyarrow.parquet

        self._schema = with_vectors(schema, dim)
        # no dictionary for vectors: no two numbers are equal
        self._writer: Any = pyarrow.parquet.ParquetWriter(
            path, self._schema, use_dictionary=schema.names
        )

    def write(self, block: Block, vectors: NDArray[np.float32]) -> None:
        """See `ShardFile`."""
        import pyarrow

        assert block.columns is not None
        arrays = [*block.columns.columns, vector_column(vectors)]
        self._writer.write_batch(pyarrow.record_batch(arrays, schema=self._schema))

    def close(self) -> None:
        """See `ShardFile`."""
        self._writer.close()


class ShardWriter:
    """Writes one shard; a ``with`` block that fails leaves nothing behind.

    Args:
        folder: where the shard is to be.
        number: of the shard.
        start: number of its first row in the input.
        rows: how many rows it is to hold.
        dim: length of a vector.
        schema: of the columns of a Parquet shard; None makes an npy shard.
    """

    def __init__(
        self,
        folder: Path,
        number: int,
        *,
        start: int,
        rows: int,
        dim: int,
        schema: pyarrow.Schema | None,
    ) -> None:
        self._start, self._rows = start, rows
        self._path = folder / shard_name(number, "npy" if schema is None else "parquet")
        self._unfinished = self._path.with_name(f"{self._path.name}.part")
        self._written = 0
        self._file: ShardFile = (
            NpyFile(self._unfinished, rows, dim)
            if schema is None
            else ParquetFile(self._unfinished, schema, dim)
        )

    @property
    def full(self) -> bool:
        """Whether all rows were written."""
        return self._written == self._rows

    def write(self, block: Block, vectors: NDArray[np.float32]) -> None:
        """Append a block."""
        assert block.start == self._start + self._written
        self._file.write(block, vectors)
        self._written += len(vectors)

    def finish(self) -> Shard:
        """Close the file, see it on the disk, and give it its name."""
        from semantic_router_lora.base_models import file_sha256

        self._file.close()
        with self._unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        sha256 = file_sha256(self._unfinished)
        size = self._unfinished.stat().st_size
        self._unfinished.replace(self._path)
        return Shard(self._path.name, self._start, self._rows, size, sha256)

    def abandon(self) -> None:
        """Close the file and remove it."""
        self._file.close()
        self._unfinished.unlink(missing_ok=True)


def shard_name(number: int, suffix: str) -> str:
    """File name of a shard."""
    return f"part-{number:05}.{suffix}"
