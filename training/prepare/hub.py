"""Records of data sets on the Hugging Face Hub, or of local files in their format.

Everything here works on an iterable of records (dicts), wherever they come from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from semantic_router_lora.data.triplets import json_lines
from semantic_router_lora.errors import DataError, require

Record = dict[str, Any]


class Records:
    """Records with a running hash of those read, so that a run can be compared with another."""

    def __init__(self, records: Iterable[Record], where: str) -> None:
        self.where = where
        self._records = records
        self._hash = hashlib.sha256()

    def __iter__(self) -> Iterator[tuple[int, Record]]:
        for number, record in enumerate(self._records, start=1):
            if not isinstance(record, dict):
                raise DataError(f"{self.where}: record {number} is no object")
            line = json.dumps(record, sort_keys=True, ensure_ascii=True, default=str)
            self._hash.update(line.encode() + b"\n")
            yield number, record

    def field(self, number: int, record: Record, name: str, kind: type | tuple[type, ...]) -> Any:
        """A field of a record.

        Raises:
            DataError: if it is missing or of another type.
        """
        value = record.get(name)
        if not isinstance(value, kind):
            raise DataError(
                f"{self.where}: record {number}: field {name!r} is {value!r:.60}, expected {kind}"
            )
        return value

    @property
    def sha256(self) -> str:
        """Of all records read so far, in the order read."""
        return self._hash.hexdigest()


def local_records(folder: Path, name: str) -> Records:
    """Records of the .jsonl and .parquet files in the folder of that name, in order of path.

    Raises:
        DataError: if there are none, or one cannot be read.
    """
    place = folder / name
    files = sorted(path for path in place.rglob("*") if path.suffix in (".jsonl", ".parquet"))
    if not files:
        raise DataError(f"{place}: holds no .jsonl or .parquet file")
    return Records((record for file in files for record in _file_records(file)), str(place))


def _file_records(path: Path) -> Iterator[Record]:
    if path.suffix == ".jsonl":
        for _, record in json_lines(path):
            yield record
        return
    require("pyarrow", "train")
    import pyarrow
    import pyarrow.parquet

    try:
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=1000):
            yield from batch.to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{path}: not valid Parquet: {error}") from error


def hub_records(
    dataset: str, configuration: str | None, revision: str, files: str | None = None
) -> Records:
    """Records of the train split, streamed from the Hub.

    Raises:
        DataError: when read, if they cannot be had; names the data set and the way out.
        MissingExtraError: without the package datasets.
    """
    require("datasets", "train")
    import datasets

    where = f"{dataset}@{revision}" + (f" ({configuration})" if configuration else "")

    def stream() -> Iterator[Record]:
        try:
            yield from datasets.load_dataset(
                dataset,
                configuration,
                data_files={"train": files} if files else None,
                split="train",
                revision=revision,
                streaming=True,
            )
        except Exception as error:  # whatever datasets, the Hub or the network throw
            if isinstance(error, DataError):  # thrown in by whoever reads the records
                raise
            raise DataError(
                f"{where} cannot be loaded: {error}. Without internet, put its .jsonl or .parquet "
                "files into a folder of the source's name and pass the folder above as --raw"
            ) from error

    return Records(stream(), where)
