"""What a forked process finds out."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable


def holds_in_a_fork(question: Callable[[], object], seconds: float = 60) -> bool:
    """Ask a question in a forked process, and end that process.

    Raises:
        TimeoutError: if the process gives no answer in time, for instance because it hangs.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, b"yes" if question() else b"no")
        finally:
            os._exit(0)
    os.close(writer)
    ready, _, _ = select.select([reader], [], [], seconds)
    answer = os.read(reader, 3) if ready else None
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reader)
    if answer is None:
        raise TimeoutError(f"no answer of the forked process in {seconds} seconds")
    return answer == b"yes"
