"""Whether a short text that comes alone is run on one thread or on all.

On an idle machine all threads are up to twice as fast. Where a thread has to wait for a processor,
or where other OpenMP threads of the same process make PyTorch's sleep between operations, they are
many times slower. Neither can be foreseen, so both ways are timed as queries come in.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")

_SAMPLES = 5
# The way that was slower is tried again after so many queries, for conditions change: first soon,
# for one bad measurement says little, then twice as late each time that it is slower again.
_FIRST_PAUSE, _LONGEST_PAUSE = 20, 320
# A trial is so many queries in a row, most of the samples: the first finds threads asleep that the
# next ones would find awake. It ends at once where the way is so many times slower.
_TRIAL, _MUCH = 3, 3
# Threads that are done look for more work for some milliseconds, and count as running meanwhile.
_SECONDS_OF_SPINNING = 0.02


class Spreading:
    """Runs each text the way that was faster lately; safe to use from several threads.

    Args:
        threads: how many "all" are, at least 1.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._one_at_a_time = threading.Lock()
        self._seconds: dict[bool, deque[float]] = {
            spread: deque(maxlen=_SAMPLES) for spread in (False, True)
        }
        self._until_trial, self._tried = 0, 0
        self._pause = _FIRST_PAUSE
        self._last_spread = -_SECONDS_OF_SPINNING

    def run(self, on_one: Callable[[], Result], on_all: Callable[[], Result]) -> Result:
        """Run one of two functions that give the same result."""
        if self._threads == 1 or not self._one_at_a_time.acquire(blocking=False):
            return on_one()
        try:
            start = time.perf_counter()
            spread = self._choose(start)
            result = on_all() if spread else on_one()
            end = time.perf_counter()
            self._record(spread, end - start)
            if spread:
                self._last_spread = end
            return result
        finally:
            self._one_at_a_time.release()

    def _choose(self, now: float) -> bool:
        if len(self._seconds[False]) < _SAMPLES:
            return False  # first, for what the other way needs once must not delay a start
        if len(self._seconds[True]) < _SAMPLES:
            return self._others_are_idle(now)
        if self._until_trial > 0:
            self._until_trial -= 1
            return self._faster()
        return not self._faster() and self._others_are_idle(now)

    def _faster(self) -> bool:
        """Whether it is the way of all threads."""
        return self._median(True) < self._median(False)

    def _median(self, spread: bool) -> float:
        samples = sorted(self._seconds[spread])  # the module statistics would slow each start
        return samples[len(samples) // 2] if samples else math.inf

    def _record(self, spread: bool, seconds: float) -> None:
        faster = self._faster()
        tried = spread != faster and self._until_trial == 0
        self._seconds[spread].append(seconds)
        if self._faster() != faster:
            self._until_trial, self._tried, self._pause = _FIRST_PAUSE, 0, _FIRST_PAUSE
        elif tried:
            self._tried += 1
            if self._tried == _TRIAL or seconds > _MUCH * self._median(faster):
                self._until_trial, self._tried = self._pause, 0
                self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _others_are_idle(self, now: float) -> bool:
        """Whether the other threads would find processors: a trial shall cost little."""
        spinning = self._threads - 1 if now - self._last_spread < _SECONDS_OF_SPINNING else 0
        return idle_cpus() + spinning >= self._threads - 1


def idle_cpus() -> int:
    """Processors that run nothing at this moment; 0 where the system does not say.

    Where there is no /proc, those that ran nothing in the last minute, on average.
    """
    count = os.cpu_count() or 1
    try:
        return count - int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0])
    except (OSError, IndexError, ValueError):
        pass
    try:
        return count - math.ceil(os.getloadavg()[0])
    except (AttributeError, OSError):  # on Windows, or unobtainable
        return 0
