"""How many threads may be busy at a time."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Slots:
    """Threads that forward passes share; a pass takes one of them, or all.

    Args:
        count: of threads.
    """

    def __init__(self, count: int) -> None:
        self._count = self._free = count
        self._changed = threading.Condition()
        # held while waiting, so that a pass that needs all is not passed over for ever
        self._turn = threading.Lock()

    @property
    def idle(self) -> bool:
        """Whether no thread is taken at this moment."""
        return self._free == self._count

    @contextmanager
    def taken(self, every: bool = False) -> Iterator[None]:
        """Wait for a thread, or for all, and have them in this block."""
        wanted = self._count if every else 1
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._free >= wanted)
            self._free -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify()


def slots(count: int) -> Slots:
    """Those of this process that all with this count share."""
    return _of_process(os.getpid(), count)


@functools.cache
def _of_process(pid: int, count: int) -> Slots:
    """One for each process: another's may be held by threads that did not survive the fork."""
    return Slots(count)
