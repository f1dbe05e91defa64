"""Objects that a forked process must renew before anything else, such as locks.

A lock that another thread of the parent held when it forked is never released in the child.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Renewable(Protocol):
    """What can be made usable again in a forked process."""

    def after_fork(self) -> None:
        """Called in the child, while it has but one thread."""


def renew_after_fork(one: Renewable) -> None:
    """Have `after_fork` of an object called in each forked process, as long as it lives."""
    _renewed.add(one)


def _after_fork() -> None:
    for one in list(_renewed):
        one.after_fork()


_renewed: weakref.WeakSet[Renewable] = weakref.WeakSet()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
