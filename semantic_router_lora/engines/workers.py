"""The threads that forward passes run in on the CPU.

They are not the caller's, for three reasons. PyTorch's thread count is a setting of the calling
thread. Every calling thread gets an OpenMP team of its own, so that eight callers on two cores
would keep sixteen threads. And a team does not survive a fork: a child that used its parent's
would hang, whereas these threads are started anew in each process.

Batches run side by side, each on one thread: no thread ever waits for another that the system
has not woken yet, which on a busy machine takes a hundred times as long as the query itself. Only
a text that comes alone is spread over all threads: a long one always, a short one where that is
faster; see `engines.spreading`.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from semantic_router_lora.engines.slots import slots
from semantic_router_lora.engines.spreading import Spreading

Batch = TypeVar("Batch")
Result = TypeVar("Result")

# Fewer tokens than this on one thread are done before other threads would have joined in.
_LEAST_TOKENS = 64


class Workers:
    """Runs forward passes on at most a given number of threads.

    Shared by all embedders of a process that ask for the same number, so that any number of
    embedders and callers keep no more threads busy than that.

    Args:
        threads: at least 1; None takes what PyTorch would use in the calling thread, or, without
            it, OMP_NUM_THREADS or else the number of CPUs that the process may use.
        uses_torch: whether what runs in them uses PyTorch, which is not imported otherwise.
    """

    def __init__(self, threads: int | None, *, uses_torch: bool = True) -> None:
        self._uses_torch = uses_torch
        if threads is not None:
            self.threads = threads
        elif uses_torch:
            import torch

            self.threads = torch.get_num_threads()
        else:
            setting = os.environ.get("OMP_NUM_THREADS", "")
            self.threads = (int(setting) if setting.isdecimal() else 0) or _cpu_count()
        self._spreading = Spreading(self.threads)

    def parts(self, tokens: int, most: int) -> int:
        """How many batches to make of so many tokens: as many for each thread, and none too small.

        Args:
            tokens: of all batches together.
            most: of a batch.
        """
        rounds = -(-tokens // (self.threads * most))
        return max(1, min(rounds * self.threads, -(-tokens // _LEAST_TOKENS)))

    def map(
        self,
        function: Callable[[Batch], Result],
        batches: Sequence[Batch],
        tokens: int,
        alone: Callable[[Batch, int], Result] | None = None,
    ) -> Iterator[Result]:
        """Apply a function to each batch; results in order, exceptions as the function's own.

        Args:
            function: what to run; safe to run in several threads.
            batches: its arguments.
            tokens: of all batches together.
            alone: the same function, for a batch that has all of a number of threads.
        """
        spreads = alone is not None and len(batches) == 1 and 0 < tokens <= _LEAST_TOKENS
        if alone is not None and spreads and slots(self.threads).idle:
            result = self._spreading.run(
                lambda: next(self._map(function, batches, tokens)),
                lambda: next(self._on_all_threads(alone, batches)),
            )
            return iter([result])
        return self._map(function, batches, tokens)

    def _map(
        self, function: Callable[[Batch], Result], batches: Sequence[Batch], tokens: int
    ) -> Iterator[Result]:
        if self._uses_torch and len(batches) == 1 and tokens > _LEAST_TOKENS:
            return self._on_all_threads(lambda batch, _: function(batch), batches)
        free = slots(self.threads)

        def on_one(batch: Batch) -> Result:
            with free.taken():
                return function(batch)

        if not self._uses_torch and len(batches) == 1:
            # In the calling thread: there is no setting to keep from it, and on a busy machine,
            # to wake another one takes as long as a query.
            return iter([on_one(batches[0])])
        intra_op = 1 if self._uses_torch else 0
        try:
            return _executor(os.getpid(), self.threads, intra_op).map(on_one, batches)
        except RuntimeError:  # the interpreter is shutting down, and starts no more threads
            return map(on_one, batches)

    def _on_all_threads(
        self, function: Callable[[Batch, int], Result], batches: Sequence[Batch]
    ) -> Iterator[Result]:
        """As `map`; PyTorch's threads belong to the one that calls it, the same one each time."""
        free = slots(self.threads)

        def on_all(batch: Batch) -> Result:
            with free.taken(every=True):
                return function(batch, self.threads)

        if not self._uses_torch:
            return map(on_all, batches)
        try:
            return _executor(os.getpid(), 1, self.threads).map(on_all, batches)
        except RuntimeError:  # as above
            return map(on_all, batches)

    def run(self, function: Callable[[], Result]) -> Result:
        """Run a function on one thread."""
        return next(self.map(lambda _: function(), [None], 0))


@functools.cache
def _executor(pid: int, count: int, intra_op: int) -> ThreadPoolExecutor:
    """One for each process: threads do not survive a fork. Without PyTorch, intra_op is 0."""
    name = f"semantic-router-lora-{intra_op}"
    if not intra_op:
        return ThreadPoolExecutor(count, name)
    return ThreadPoolExecutor(count, name, initializer=_set_threads, initargs=(intra_op,))


def _cpu_count() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _set_threads(intra_op: int) -> None:
    """Set PyTorch's thread count for the calling thread alone."""
    import torch

    with _setting:
        default = torch.get_num_threads()  # also keeps PyTorch from setting it again at first use
        torch.set_num_threads(intra_op)
        # That was also made the default of threads that have not used PyTorch yet: put it back,
        # from a thread that ends at once, for here the setting is to stay.
        restore = threading.Thread(target=torch.set_num_threads, args=(default,))
        restore.start()
        restore.join()


# Of two threads at a time, one would take the other's setting for the default.
_setting = threading.Lock()


def _after_fork() -> None:
    """A forked process must not wait for a thread of its parent."""
    global _setting
    _setting = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
