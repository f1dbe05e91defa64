"""Reading a folder of vectors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from semantic_router_lora.corpus.columns import VECTOR
from semantic_router_lora.corpus.manifest import Manifest, Shard, read_manifest
from semantic_router_lora.errors import AdapterMismatchError, DataError, require

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_vectors(
    folder: Path | str, *, fingerprint: str | None = None, verify: bool = False
) -> Iterator[tuple[range, NDArray[np.float32]]]:
    """Read the vectors that `encode_corpus` wrote, shard by shard.

    Shards in npy are mapped into memory, not read; those in Parquet are read one at a time.

    Args:
        folder: that of the shards.
        fingerprint: of the embedder whose vectors are to be compared with these; None takes any.
        verify: also compare the SHA-256 of each shard, which reads all of it.

    Returns:
        An iterator over the numbers of a shard's rows in the input, from 0, and their vectors,
        float32 (rows, dim), read-only.

    Raises:
        DataError: if there are no vectors, some are missing, or (as its turn comes) a shard is
            not what the manifest says.
        AdapterMismatchError: if the vectors are those of another embedder.
        MissingExtraError: for Parquet without pyarrow.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    if not manifest.complete:
        raise DataError(
            f"{folder} is not finished: {manifest.finished_rows} of {manifest.rows} rows; "
            f"resume it first"
        )
    if fingerprint not in (None, manifest.fingerprint):
        raise AdapterMismatchError(
            f"{folder} holds vectors of {manifest.reference} with fingerprint "
            f"{manifest.fingerprint}, expected {fingerprint}"
        )
    for shard in manifest.shards:
        path = folder / shard.file
        if not path.is_file() or path.stat().st_size != shard.bytes:
            raise DataError(f"{path} is missing, or not of {shard.bytes} bytes")
    if manifest.format == "parquet":
        require("pyarrow", "data")
    return _read(folder, manifest, verify)


def _read(
    folder: Path, manifest: Manifest, verify: bool
) -> Iterator[tuple[range, NDArray[np.float32]]]:
    from semantic_router_lora.base_models import file_sha256

    for shard in manifest.shards:
        path = folder / shard.file
        if verify and file_sha256(path) != shard.sha256:
            raise DataError(f"{path} is not what the manifest says: its SHA-256 is another")
        vectors = _npy(path) if manifest.format == "npy" else _parquet(path)
        if vectors.shape != (shard.rows, manifest.dim) or vectors.dtype != np.float32:
            raise DataError(
                f"{path} holds {vectors.dtype} {vectors.shape}, expected float32 "
                f"{(shard.rows, manifest.dim)}"
            )
        yield _rows(shard), vectors


def _rows(shard: Shard) -> range:
    return range(shard.start, shard.start + shard.rows)


def _npy(path: Path) -> NDArray[np.float32]:
    try:
        vectors: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise DataError(f"{path}: not a valid .npy file: {error}") from error
    return vectors


def _parquet(path: Path) -> NDArray[np.float32]:
    import pyarrow.parquet

    try:
        column = pyarrow.parquet.read_table(path, columns=[VECTOR]).column(0).combine_chunks()
        dim = column.type.list_size
        vectors: NDArray[np.float32] = column.flatten().to_numpy().reshape(-1, dim)
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{path}: not a valid shard: {error}") from error
    return vectors
