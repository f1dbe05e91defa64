"""Ctrl-C, first as a wish and then as an order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interruptible(stopping: asyncio.Event) -> Iterator[None]:
    """Set an event at the first Ctrl-C, and cancel the current task at the second.

    On Windows, and in a thread, every Ctrl-C is what it is elsewhere.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None

    def interrupt() -> None:
        if stopping.is_set():
            task.cancel()
        stopping.set()

    try:
        loop.add_signal_handler(signal.SIGINT, interrupt)
    except (NotImplementedError, RuntimeError, ValueError):
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
