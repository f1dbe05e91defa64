"""``manifest.json``: which shards of an output folder are finished, and what they hold."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from semantic_router_lora.errors import DataError, InputError

FILE = "manifest.json"

VectorFormat = Literal["npy", "parquet"]
FORMATS: tuple[VectorFormat, ...] = get_args(VectorFormat)

_KIND = "vectors of semantic-router-lora"
_VERSION = 1


@dataclass(frozen=True)
class Shard:
    """A finished file of vectors.

    Attributes:
        file: its name in the folder.
        start: number of its first row in the input, from 0.
        rows: how many rows it holds.
        bytes: its size.
        sha256: of its bytes.
    """

    file: str
    start: int
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a folder of vectors holds.

    Attributes:
        reference: of the embedder.
        fingerprint: of the embedder; vectors of another one must not be compared with these.
        dim: length of a vector; the numbers are float32.
        dtype: of the embedder's weights and arithmetic.
        input_name: file name of the input.
        input_sha256: of its bytes.
        rows: of the input.
        text_field: its column that was embedded.
        format: ``npy`` or ``parquet``.
        shard_rows: rows of every shard but the last.
        package_version: of this package, when the folder was begun.
        shards: those that are finished, in order.
    """

    reference: str
    fingerprint: str
    dim: int
    dtype: str
    input_name: str
    input_sha256: str
    rows: int
    text_field: str
    format: VectorFormat
    shard_rows: int
    package_version: str
    shards: tuple[Shard, ...] = field(default=())

    @property
    def complete(self) -> bool:
        """Whether every row of the input has its vector."""
        return self.finished_rows == self.rows

    @property
    def finished_rows(self) -> int:
        """Rows whose vectors are in finished shards."""
        return sum(shard.rows for shard in self.shards)

    def with_shard(self, shard: Shard) -> Manifest:
        """The same with one more finished shard."""
        shards = sorted((*self.shards, shard), key=lambda shard: shard.start)
        return replace(self, shards=tuple(shards))

    def write(self, folder: Path) -> None:
        """Write ``manifest.json``, whole or not at all, past a crash of the system too."""
        content = {"kind": _KIND, "version": _VERSION, "complete": self.complete} | asdict(self)
        unfinished = folder / f"{FILE}.part"
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(folder / FILE)

    def check_same_job(self, other: Manifest, folder: Path) -> None:
        """Refuse to go on with what another job has begun.

        The name of the input may be another, as its bytes tell what it is.

        Raises:
            InputError: with everything that differs.
        """
        free = ("input_name", "package_version", "shards")
        changed = [
            f"{name} was {getattr(self, name)!r} and is {getattr(other, name)!r}"
            for name in (entry.name for entry in fields(self))
            if name not in free and getattr(self, name) != getattr(other, name)
        ]
        if changed:
            raise InputError(
                f"{folder} was begun with another input, model or option: {'; '.join(changed)}. "
                f"Choose another folder, or delete it to begin anew"
            )


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder.

    Raises:
        DataError: if there is none, or it is not one of vectors.
    """
    path = folder / FILE
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(content, dict) or content.get("kind") != _KIND:
        raise DataError(f"{path}: is no manifest of vectors")
    if content.get("version") != _VERSION:
        raise DataError(f"{path}: is of version {content.get('version')!r}, expected {_VERSION}")
    try:
        values = {entry.name: content[entry.name] for entry in fields(Manifest)}
        values["shards"] = tuple(Shard(**shard) for shard in values["shards"])
    except (KeyError, TypeError) as error:
        raise DataError(f"{path}: is no manifest of vectors: {error}") from error
    return Manifest(**values)
