"""Reading a Parquet file as blocks of rows; all columns keep their types."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from semantic_router_lora.corpus.blocks import BLOCK_ROWS, Block, Contents, Corpus, block_sizes
from semantic_router_lora.corpus.columns import check_columns
from semantic_router_lora.errors import DataError

if TYPE_CHECKING:
    import pyarrow.parquet

# Bytes of a column that are read at a time; without it, a column of a whole row group is.
_BUFFER = 1 << 20


class ParquetCorpus(Corpus):
    """A Parquet file; only the column of the texts is read, unless all are kept."""

    def scan(self, progress: Callable[[int], object]) -> Contents:
        """See `Corpus`."""
        with self._open() as file:
            schema = file.schema_arrow.remove_metadata()
            self._check_field(schema)
            if self.keep_columns:
                check_columns(self.path, schema)
            count = 0
            for batch in self._batches(file, [self.field]):
                for place, text in enumerate(batch.column(0).to_pylist(), start=count + 1):
                    if text is None:
                        raise DataError(
                            f"{self.path}:{place}: field {self.field!r} is null, expected a text"
                        )
                count += batch.num_rows
                progress(batch.num_rows)
        return Contents(count, schema if self.keep_columns else None)

    def blocks(
        self, contents: Contents, shard_rows: int, skipped: Collection[int]
    ) -> Iterator[Block]:
        """See `Corpus`."""
        import pyarrow

        with self._open() as file:
            columns = None if self.keep_columns else [self.field]
            if file.metadata.num_rows != contents.rows:
                raise self._changed()
            batches = self._batches(file, columns)
            rest: list[pyarrow.RecordBatch] = []
            for shard, start, size in block_sizes(contents.rows, shard_rows):
                while sum(batch.num_rows for batch in rest) < size:
                    batch = next(batches, None)
                    if batch is None:
                        raise self._changed()
                    rest.append(batch)
                table = pyarrow.Table.from_batches(rest)
                rest = table.slice(size).to_batches()
                if shard in skipped:
                    continue
                block = table.slice(0, size).combine_chunks()
                yield Block(
                    start,
                    shard,
                    block.column(self.field).to_pylist(),
                    list(range(start + 1, start + size + 1)),
                    block.to_batches()[0] if self.keep_columns else None,
                )

    def _batches(
        self, file: pyarrow.parquet.ParquetFile, columns: list[str] | None
    ) -> Iterator[pyarrow.RecordBatch]:
        for batch in file.iter_batches(batch_size=BLOCK_ROWS, columns=columns):
            yield batch.replace_schema_metadata(None)

    @contextmanager
    def _open(self) -> Iterator[pyarrow.parquet.ParquetFile]:
        import pyarrow.parquet

        try:
            # a buffer would hold on to all that was read until the file is closed
            with pyarrow.parquet.ParquetFile(
                self.path, pre_buffer=False, buffer_size=_BUFFER
            ) as file:
                yield file
        except (OSError, UnicodeDecodeError, pyarrow.ArrowException) as error:
            raise DataError(f"{self.path}: not valid Parquet: {error}") from error

    def _check_field(self, schema: pyarrow.Schema) -> None:
        import pyarrow

        if schema.names.count(self.field) != 1:
            raise DataError(
                f"{self.path}: no field {self.field!r}; it has {', '.join(map(repr, schema.names))}"
            )
        kind = schema.field(self.field).type
        value = kind.value_type if pyarrow.types.is_dictionary(kind) else kind
        is_text = (
            pyarrow.types.is_string,
            pyarrow.types.is_large_string,
            pyarrow.types.is_string_view,
        )
        if not any(test(value) for test in is_text):
            raise DataError(f"{self.path}: field {self.field!r} is of {kind}, expected texts")
