"""Files that a loaded model still depends on."""

from __future__ import annotations

import os
import weakref
from pathlib import Path


class WatchedFile:
    """A file kept open, to notice when it is written to, and when its name means another one.

    Args:
        path: of the file.

    Raises:
        OSError: if it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)
        self._seen = _state(os.fstat(self._descriptor))

    @property
    def written(self) -> bool:
        """Whether it was written to since it was opened; not so if another took its name."""
        return _state(os.fstat(self._descriptor)) != self._seen

    @property
    def in_place(self) -> bool:
        """Whether its name still means this file, as it was opened."""
        try:
            return _state(self.path.stat()) == self._seen
        except OSError:
            return False


def _state(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
