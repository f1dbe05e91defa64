"""From a file of texts to a folder of vectors, whatever happens in between."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_router_lora import __version__
from semantic_router_lora.corpus import manifest as manifests
from semantic_router_lora.corpus.blocks import Contents, Corpus, open_corpus
from semantic_router_lora.corpus.folder import begun_manifest, check_folder, locked_folder
from semantic_router_lora.corpus.manifest import FORMATS, Manifest, VectorFormat
from semantic_router_lora.corpus.pool import WorkerPool
from semantic_router_lora.corpus.shards import ShardWriter
from semantic_router_lora.corpus.worker import Encoder, load_embedder
from semantic_router_lora.errors import DataError, InputError

if TYPE_CHECKING:
    from semantic_router_lora.options import DType


@dataclass(frozen=True)
class CorpusJob:
    """A file to embed, and how.

    Attributes:
        file: .jsonl, .csv, .parquet or .txt.
        output: folder of the shards.
        base: as for `Embedder`.
        adapter: as for `Embedder`.
        field: column with the text; a .txt file has no columns, and every line is a text.
        format: ``npy`` for vectors alone; ``parquet`` for all columns and ``vector``.
        shard_rows: rows of every shard but the last.
        processes: how many embed; None takes one, or one for each device.
        devices: where they run, in turn: ``auto`` or torch devices such as ``cuda:1``.
        dtype: as for `Embedder`.
    """

    file: Path
    output: Path
    base: str | None = None
    adapter: str | None = None
    field: str = "text"
    format: VectorFormat = "npy"
    shard_rows: int = 100_000
    processes: int | None = None
    devices: tuple[str, ...] = ("auto",)
    dtype: DType = "float32"

    def check(self) -> None:
        """Refuse options of another type or out of range.

        Raises:
            InputError: naming the option.
        """
        for name, path in (("file", self.file), ("output", self.output)):
            if not isinstance(path, Path):
                raise InputError(f"{name} is {path!r}, expected a pathlib.Path")
        if self.format not in FORMATS:
            raise InputError(f"format is {self.format!r}, expected one of {', '.join(FORMATS)}")
        for name, count in (("shard_rows", self.shard_rows), ("processes", self.processes)):
            if name == "processes" and count is None:
                continue
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise InputError(f"{name} is {count!r}, expected a whole number of at least 1")
        if not isinstance(self.devices, (tuple, list)):
            raise InputError(f"devices is {self.devices!r}, expected a tuple of names")
        if not self.devices or not all(self.devices):
            raise InputError("name at least one device, or none to let it be chosen")
        if self.processes is not None and self.processes < len(self.devices):
            raise InputError(f"{self.processes} processes cannot use {len(self.devices)} devices")

    def loads(self) -> list[Callable[[], Encoder]]:
        """Makes the embedder, one for each process."""
        count = self.processes or len(self.devices)
        devices = [self.devices[number % len(self.devices)] for number in range(count)]
        return [
            functools.partial(load_embedder, self.base, self.adapter, device, self.dtype, count)
            for device in devices
        ]


def encode_corpus(job: CorpusJob, *, resume: bool = False, show_progress: bool = False) -> Manifest:
    """Embed a file of any size into sharded vectors.

    The whole file is read and checked before the first text is embedded. Memory does not grow with
    its size. Texts are embedded in processes of their own, so a script that calls this needs the
    line ``if __name__ == "__main__":``. Whatever ends this call early, finished shards stay.

    Args:
        job: what to embed, and how.
        resume: go on with what an earlier call has begun; begin if there is nothing.
        show_progress: draw progress bars on standard error.

    Returns:
        The manifest of the output folder, complete.

    Raises:
        DataError: if the file cannot be used or changes while it is read, with the row.
        InputError: if an option is out of range, the output cannot be written, is in use or not
            empty, or was begun by another job.
        SemanticRouterLoraError: if the model cannot be used, or worker processes keep dying.
    """
    job.check()
    return run(job, job.loads(), resume=resume, show_progress=show_progress)


def run(
    job: CorpusJob,
    loads: Sequence[Callable[[], Encoder]],
    *,
    resume: bool = False,
    show_progress: bool = False,
) -> Manifest:
    """`encode_corpus` with embedders of one's own; ``loads`` makes that of each process."""
    corpus = open_corpus(job.file, job.field, keep_columns=job.format == "parquet")
    try:
        check_folder(job.output)  # before the lock: nothing is put into a folder of others
        with locked_folder(job.output):
            begun = begun_manifest(job.output, resume)
            version = _file_version(job.file)
            with WorkerPool(loads, job.file) as pool:
                manifest, contents = _plan(job, corpus, pool, begun, show_progress)
                _write_shards(job, corpus, pool, manifest, contents, version, show_progress)
    except OSError as error:
        raise InputError(f"{error.filename or job.output}: {error.strerror or error}") from error
    return manifests.read_manifest(job.output)


def _plan(
    job: CorpusJob, corpus: Corpus, pool: WorkerPool, begun: Manifest | None, show_progress: bool
) -> tuple[Manifest, Contents]:
    """Read the whole input, and write the manifest with the shards that are already there."""
    from semantic_router_lora.base_models import file_sha256

    sha256 = file_sha256(job.file)
    with _bar("checked", None, 0, show_progress) as bar:
        contents = corpus.scan(bar.update)
    if not contents.rows:
        raise DataError(f"{job.file}: holds no rows")
    model = pool.model()
    manifest = Manifest(
        reference=model.reference,
        fingerprint=model.fingerprint,
        dim=model.dim,
        dtype=model.dtype,
        input_name=job.file.name,
        input_sha256=sha256,
        rows=contents.rows,
        text_field=job.field,
        format=job.format,
        shard_rows=job.shard_rows,
        package_version=__version__,
    )
    if begun is not None:
        begun.check_same_job(manifest, job.output)
        for left in job.output.glob("*.part"):
            left.unlink()
        for shard in begun.shards:
            path = job.output / shard.file
            if path.is_file() and file_sha256(path) == shard.sha256:
                manifest = manifest.with_shard(shard)
    manifest.write(job.output)
    return manifest, contents


def _write_shards(
    job: CorpusJob,
    corpus: Corpus,
    pool: WorkerPool,
    manifest: Manifest,
    contents: Contents,
    version: tuple[int, int],
    show_progress: bool,
) -> None:
    finished = {shard.start // job.shard_rows for shard in manifest.shards}
    blocks = corpus.blocks(contents, job.shard_rows, finished)
    writer: ShardWriter | None = None
    try:
        with _bar("embedded", contents.rows, manifest.finished_rows, show_progress) as bar:
            for block, vectors in pool.embed(blocks):
                if writer is None:
                    writer = _writer(job, manifest, contents, block.shard)
                writer.write(block, vectors)
                bar.update(len(vectors))
                if writer.full:
                    # before the shard gets its name: it would hold what the manifest does not say
                    if _file_version(job.file) != version:
                        raise DataError(f"{job.file} changed while it was embedded")
                    manifest = manifest.with_shard(writer.finish())
                    manifest.write(job.output)
                    writer = None
    finally:
        if writer is not None:
            writer.abandon()


def _writer(job: CorpusJob, manifest: Manifest, contents: Contents, number: int) -> ShardWriter:
    start = number * job.shard_rows
    rows = min(job.shard_rows, contents.rows - start)
    return ShardWriter(
        job.output, number, start=start, rows=rows, dim=manifest.dim, schema=contents.schema
    )


def _file_version(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _bar(what: str, total: int | None, done: int, shown: bool) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, initial=done, desc=what, unit=" rows", disable=not shown)
