"""Processes that train some of the folds while this one trains the others.

One training of a small model leaves most of several cores idle; several side by side do not.
"""

from __future__ import annotations

import logging
import os
import pickle
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from typing_extensions import Self

    from semantic_router_lora.fitting.job import FitJob
    from semantic_router_lora.training.trainer import AdapterTrainer

logger = logging.getLogger(__name__)

# The path is set first, because -c would look for modules in the working directory. A spawned
# process of multiprocessing would import the caller's script, and run what is not guarded in it.
_COMMAND = "import sys; sys.path[:] = sys.argv[1:]; from {} import main; main()"
_LENGTH = struct.Struct("<Q")
_MOST_PROCESSES = 4
_MEMORY = 3 * 2**30  # bytes that a training may take
_OF_EVERYTHING = 1.3  # what training on everything takes, in folds


@dataclass(frozen=True)
class Task:
    """What one helper does.

    Attributes:
        prepare: gives something that can `hold_out` a fold; picklable.
        folds: to hold out, one after the other.
        threads: of PyTorch.
    """

    prepare: Callable[[], Any]
    folds: list[int]
    threads: int


class Helpers:
    """Starts a process for each task; those that still run when it is left are killed.

    Args:
        tasks: one of each.
        folder: for what they print.
    """

    def __init__(self, tasks: list[Task], folder: Path) -> None:
        self._tasks, self._folder = tasks, folder
        self._running: list[tuple[subprocess.Popen[bytes], Path]] = []

    def __enter__(self) -> Self:
        command = [sys.executable, "-c", _COMMAND.format(__name__), *sys.path]
        for number, task in enumerate(self._tasks):
            log = self._folder / f"helper-{number}.log"
            with log.open("wb") as output:
                helper = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,  # Ctrl-C is for this process to act on
                )
            self._running.append((helper, log))
            content = pickle.dumps(task)
            assert helper.stdin is not None
            try:
                helper.stdin.write(_LENGTH.pack(len(content)) + content)
                helper.stdin.flush()
            except OSError:
                continue  # it is dead, which `join` says
        return self

    def join(self) -> None:
        """Wait for all; say what became of those that failed, whose folds are left to do."""
        for helper, log in self._running:
            if helper.wait() != 0:
                said = log.read_text(encoding="utf-8", errors="replace").strip()
                logger.warning(
                    "a process that trained folds ended with status %d: %s",
                    helper.returncode,
                    said.splitlines()[-1] if said else "it said nothing",
                )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for helper, _ in self._running:
            helper.kill()  # a fold is kept whole or not at all
            helper.wait()
            if helper.stdin is not None:
                helper.stdin.close()


def hold_out_folds(job: FitJob, processes: int) -> AdapterTrainer | None:
    """Do all folds. With helpers, this process trains on everything while they do theirs."""
    import torch

    threads = torch.get_num_threads()
    of_each = max(1, threads // processes)
    own, others = shares(job.unfinished(), processes)
    tasks = [Task(job.elsewhere(), part, of_each) for part in others]
    if tasks:
        names = ", ".join(str(fold + 1) for part in others for fold in sorted(part))
        job.progress(f"{len(tasks) + 1} processes; others do folds {names}")
    torch.set_num_threads(of_each)  # in a fit that goes on, too: sums depend on it
    try:
        with Helpers(tasks, job.folder) as helpers:
            for fold in own:
                job.hold_out(fold)
            run = job.train() if tasks else None
            helpers.join()
        for fold in job.unfinished():
            run = None  # which the trainer does not hold any more
            job.hold_out(fold)
        return run or (job.train() if processes > 1 else None)
    finally:
        torch.set_num_threads(threads)


def processes_for(wanted: int | None, folds: int) -> int:
    """How many there are to be: on a CPU as many as threads and memory allow, if nobody says."""
    from semantic_router_lora.training.model import device

    if wanted is None:
        import torch

        if device() != "cpu":
            return 1
        import psutil

        # of the whole memory, so that a fit that goes on has as many as before
        room = psutil.virtual_memory().total // _MEMORY
        wanted = max(1, min(torch.get_num_threads(), room, _MOST_PROCESSES))
    return min(wanted, folds + 1)


def shares(folds: list[int], processes: int) -> tuple[list[int], list[list[int]]]:
    """Deal folds to this process, which also trains on everything, and to helpers.

    Returns:
        The folds of this process, and those of each helper.
    """
    if processes == 1 or not folds:
        return folds, []
    own = round((len(folds) + _OF_EVERYTHING) / processes - _OF_EVERYTHING)
    own = min(max(own, 0), len(folds) - 1)
    rest = folds[own:]
    parts = [rest[start :: processes - 1] for start in range(processes - 1)]
    return folds[:own], [part for part in parts if part]


def main() -> None:
    """Do the task that comes on standard input; end when that is closed."""
    inbox = sys.stdin.buffer
    (length,) = _LENGTH.unpack(inbox.read(_LENGTH.size))
    task: Task = pickle.loads(inbox.read(length))
    threading.Thread(target=_end_with, args=(inbox,), daemon=True).start()
    import torch

    torch.set_num_threads(task.threads)
    try:
        job = task.prepare()
        for fold in task.folds:
            job.hold_out(fold)
    except BaseException:
        traceback.print_exc()
        _leave(1)
    _leave(0)


def _end_with(inbox: Any) -> None:
    inbox.read()
    os._exit(1)  # whoever wanted it is gone


def _leave(status: int) -> NoReturn:
    """End at once: Python's own way would wait for the thread that reads, and abort."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
