"""What came back for each query, kept as soon as it came."""

from __future__ import annotations

import errno
import json
import os
from array import array
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from semantic_router_lora.data.files import json_lines
from semantic_router_lora.errors import DataError, InputError

_HEADER = "generation journal"
_VERSION = 1
_BEGINNING = f'{{"journal": "{_HEADER}"'.encode()
# Windows would end lines with another byte than those that are counted here.
_BINARY: int = getattr(os, "O_BINARY", 0)


class Journal:
    """A file of JSON lines: a header with the settings of the job, then one line an answer.

    A line is written by a single call, so a process that is killed leaves whole lines and at most
    one that is cut off, which the next opening removes. Of two lines for one row the later counts.
    Takes 8 bytes of memory a query. Only one process can have a journal open.

    Args:
        path: the file; made if it does not exist.
        settings: what must be equal for a job to go on, such as the digest of its input.
        rows: number of rows of the input.

    Raises:
        DataError: if the file is no journal, or holds rows that the input has not.
        InputError: if its settings are others, or another process has it open.
    """

    def __init__(self, path: Path, settings: dict[str, Any], rows: int) -> None:
        from filelock import FileLock, Timeout

        self.path = path
        self._offsets = array("q", [-1]) * rows
        self._lock = FileLock(f"{path}.lock")
        with ExitStack() as undo:
            try:
                self._lock.acquire(timeout=0)
            except Timeout as error:
                raise InputError(f"{path} is in use by another process") from error
            undo.callback(self._unlock)
            if path.is_file() and path.stat().st_size:
                self._read(settings)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _BINARY, 0o644)
            undo.callback(os.close, self._file)
            self._size = os.fstat(self._file).st_size
            if not self._size:
                self._write({"journal": _HEADER, "version": _VERSION, "settings": settings})
            self._reader = undo.enter_context(path.open("rb"))
            self._resources = undo.pop_all()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._resources.close()

    def __contains__(self, row: int) -> bool:
        return self._offsets[row] >= 0

    def __len__(self) -> int:
        return len(self._offsets) - self._offsets.count(-1)

    def append(self, row: int, entry: dict[str, Any]) -> None:
        """Keep what came back for a row.

        Raises:
            OSError: if the disk is full.
        """
        self._offsets[row] = self._write({"row": row, **entry})

    def entry(self, row: int) -> dict[str, Any] | None:
        """What came back for a row, or None."""
        offset = self._offsets[row]
        if offset < 0:
            return None
        self._reader.seek(offset)
        found: dict[str, Any] = json.loads(self._reader.readline())
        return found

    def forget(self, row: int) -> None:
        """Let a row be asked again."""
        self._offsets[row] = -1

    def failed_rows(self) -> Iterator[int]:
        """Rows for which no usable answer came."""
        for row, offset in enumerate(self._offsets):
            if offset >= 0 and "error" in (self.entry(row) or {}):
                yield row

    def _unlock(self) -> None:
        with suppress(OSError):  # Windows deletes no open file; there the release does it
            Path(f"{self.path}.lock").unlink()
        self._lock.release()

    def _write(self, content: dict[str, Any]) -> int:
        """Append a line and return where it begins."""
        # ASCII, so that what a model wrote cannot hold half a character or a line separator
        line = json.dumps(content).encode() + b"\n"
        written = os.write(self._file, line)
        if written < len(line):  # the disk is full: take back what does not make a line
            os.truncate(self._file, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        start = self._size
        self._size += len(line)
        return start

    def _read(self, settings: dict[str, Any]) -> None:
        with self.path.open("rb") as file:
            begins = file.read(len(_BEGINNING))
        if not _BEGINNING.startswith(begins):  # somebody else's file: leave it as it is
            raise DataError(f"{self.path}: is no journal of a generation")
        self._cut_off_last_line()
        if not self.path.stat().st_size:
            return  # not even the header was finished
        _, header = next(json_lines(self.path))
        if header.get("version") != _VERSION:
            raise DataError(f"{self.path}: is of another version of semantic-router-lora")
        _compare(self.path, header.get("settings"), settings)
        with self.path.open("rb") as file:
            offset = len(file.readline())
            for line in file:
                row = _row(line, self.path)
                if not 0 <= row < len(self._offsets):
                    raise DataError(f"{self.path}: holds row {row}, which the input has not")
                self._offsets[row] = offset
                offset += len(line)

    def _cut_off_last_line(self) -> None:
        """A line without its end is one that a kill or a full disk cut off."""
        with self.path.open("rb+") as file:
            size = file.seek(0, os.SEEK_END)
            position = size
            while position > 0:
                step = min(65536, position)
                file.seek(position - step)
                end = file.read(step).rfind(b"\n")
                if end >= 0:
                    position += end + 1 - step
                    break
                position -= step
            if position < size:
                file.truncate(position)


def _row(line: bytes, path: Path) -> int:
    try:
        row = json.loads(line)["row"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: holds a line that is no entry: {line[:80]!r}") from error
    if not isinstance(row, int):
        raise DataError(f"{path}: holds a row {row!r}")
    return row


def _compare(path: Path, found: Any, wanted: dict[str, Any]) -> None:
    found = found if isinstance(found, dict) else {}
    changed = [
        f"{name} was {found.get(name)!r} and is {wanted.get(name)!r}"
        for name in sorted({*found, *wanted})
        if found.get(name) != wanted.get(name)
    ]
    if changed:
        raise InputError(
            f"{path} belongs to another job: {'; '.join(changed)}. Choose another output, or "
            f"delete it to ask everything again"
        )
