"""Sets of the texts that went by, on disk, for streams that do not fit into memory."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from semantic_router_lora.data.words import plain

if TYPE_CHECKING:
    from typing_extensions import Self

_CACHE_KIB = 64 * 1024


class DiskTables:
    """Tables in a temporary SQLite file, which is gone at the end of the ``with`` block.

    Memory is bounded by SQLite's cache (64 MiB).
    """

    tables = ""

    def __init__(self, folder: Path | None = None) -> None:
        """Make the file in a folder; without one, where the system has its temporary files."""
        self._folder = tempfile.TemporaryDirectory(
            dir=folder, prefix=".seen-texts-", ignore_cleanup_errors=True
        )
        self._database = sqlite3.connect(
            Path(self._folder.name) / "seen.sqlite", isolation_level=None
        )
        # nothing needs to outlive a crash, so nothing is written twice or waited for
        self._database.executescript(
            f"""PRAGMA journal_mode = OFF;
            PRAGMA synchronous = OFF;
            PRAGMA locking_mode = EXCLUSIVE;
            PRAGMA cache_size = -{_CACHE_KIB};
            {self.tables}
            BEGIN;"""
        )
        if os.name == "posix":
            # the file lives on while it is open, and a process that is killed leaves none
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._database.close()
        self._folder.cleanup()


class SeenTexts(DiskTables):
    """A set of texts, of each of which only 8 bytes are kept.

    Texts are equal if they are to `plain`. The probability that
    any two others are taken for equal is three in a million for ten million texts.
    """

    tables = "CREATE TABLE text (digest INTEGER PRIMARY KEY);"

    def add(self, text: str) -> bool:
        """Add a text, and say whether it is new."""
        added = self._database.execute(
            "INSERT OR IGNORE INTO text VALUES (?)", (text_digest(text),)
        )
        return added.rowcount == 1


def text_digest(text: str) -> int:
    """8 bytes of a text, equal for texts that are equal to `plain`."""
    return digest(plain(text))


def digest(*parts: str) -> int:
    """8 bytes of some texts in order, as an integer that SQLite can hold."""
    data = "\0".join(parts).encode("utf-8")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big", signed=True)
