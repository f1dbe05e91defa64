"""Embedding a Ray dataset on a cluster (extra ``ray``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from semantic_router_lora.corpus.columns import VECTOR, vector_column
from semantic_router_lora.errors import AdapterMismatchError, DataError, InputError, require

if TYPE_CHECKING:
    import pyarrow
    from ray.data import Dataset


class EmbedBatches:
    """Adds a column of vectors to batches of rows, for `ray.data.Dataset.map_batches`.

    Ray makes one in each worker, where it builds its embedder.

    Args:
        reference: of the embedder.
        fingerprint: that the embedder must have, whatever files the worker's node has.
        text_column: column with the text.
        vector_column: column to add: lists of fixed size of float32.
        options: of `Embedder`.

    Raises:
        AdapterMismatchError: if the embedder's fingerprint is another.
    """

    def __init__(
        self,
        reference: str,
        fingerprint: str,
        text_column: str = "text",
        vector_column: str = VECTOR,
        options: dict[str, Any] | None = None,
    ) -> None:
        from semantic_router_lora.embedder import Embedder

        self._embedder = Embedder.from_reference(reference, **(options or {}))
        if self._embedder.fingerprint != fingerprint:
            import platform

            raise AdapterMismatchError(
                f"{reference} has fingerprint {self._embedder.fingerprint} on node "
                f"{platform.node()}, expected {fingerprint}"
            )
        self._text_column = text_column
        self._vector_column = vector_column

    def __call__(self, batch: pyarrow.Table) -> pyarrow.Table:
        """The batch with the vectors of its texts.

        Raises:
            DataError: if the column is missing or holds anything but texts.
        """
        if self._text_column not in batch.column_names:
            raise DataError(
                f"no column {self._text_column!r}; the rows have "
                f"{', '.join(map(repr, batch.column_names))}"
            )
        texts = batch.column(self._text_column).to_pylist()
        strange = next((text for text in texts if not isinstance(text, str)), "")
        if not isinstance(strange, str):
            raise DataError(f"column {self._text_column!r} holds {strange!r}, expected a text")
        vectors = vector_column(self._embedder.encode(texts))
        return batch.append_column(self._vector_column, vectors)


def encode_dataset(
    dataset: Dataset,
    reference: str,
    *,
    text_column: str = "text",
    vector_column: str = VECTOR,
    batch_size: int = 2048,
    workers: int | tuple[int, int] = 1,
    fingerprint: str | None = None,
    device: str = "auto",
    dtype: str = "float32",
    **ray_options: Any,
) -> Dataset:
    """Add a column of vectors to a Ray dataset, lazily as all of Ray Data.

    A worker that dies is replaced, and its batches are embedded again.

    Args:
        dataset: rows with a text.
        reference: ``<base>`` or ``<base>+lora:<adapter>``; every node must be able to find it.
        text_column: column with the text.
        vector_column: column to add: lists of fixed size of float32.
        batch_size: rows that are embedded together.
        workers: how many embed, or the least and the most.
        fingerprint: that the embedder must have on every node; None takes the one that it has
            here, for which it is built once.
        device: as for `Embedder`.
        dtype: as for `Embedder`; ``auto`` is decided here, so that all nodes use one type.
        ray_options: passed to ``map_batches``, such as ``num_cpus`` (also the number of threads)
            or ``num_gpus`` of each worker.

    Returns:
        The dataset with one more column.

    Raises:
        InputError: if the dataset has such a column already, or lacks that of the texts.
        MissingExtraError: without Ray.
    """
    require("ray.data", "ray")
    import ray.data

    names = dataset.columns() or []
    if names and text_column not in names:
        raise InputError(f"the dataset has no column {text_column!r}: {', '.join(names)}")
    if vector_column in names:
        raise InputError(f"the dataset has a column {vector_column!r} already")
    options = {"device": device, "dtype": dtype}
    if fingerprint is None:
        from semantic_router_lora.embedder import Embedder

        embedder = Embedder.from_reference(reference, **options)
        fingerprint = embedder.fingerprint
        if embedder.engine != "onnx":  # an exported folder has the one type that it was made with
            options["dtype"] = embedder.dtype
    least, most = workers if isinstance(workers, tuple) else (workers, workers)
    return dataset.map_batches(
        EmbedBatches,
        batch_size=batch_size,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(min_size=least, max_size=most),
        fn_constructor_kwargs={
            "reference": reference,
            "fingerprint": fingerprint,
            "text_column": text_column,
            "vector_column": vector_column,
            "options": options,
        },
        **ray_options,
    )
