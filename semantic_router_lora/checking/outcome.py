"""What one check comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Status = Literal["pass", "warn", "fail", "skip"]

# Of a hundred problems of one kind, the first few say it all.
_MOST_PROBLEMS = 8


@dataclass(frozen=True)
class Outcome:
    """A status, and the reason for it: one line for each problem."""

    status: Status
    message: str


def passed(message: str) -> Outcome:
    """All is well; says what was seen."""
    return Outcome("pass", message)


def skipped(reason: str) -> Outcome:
    """There is nothing to check, or no way to."""
    return Outcome("skip", reason)


def failed(problems: Sequence[str]) -> Outcome:
    """The adapter is not to be accepted."""
    return Outcome("fail", _lines(problems))


def warned(problems: Sequence[str]) -> Outcome:
    """A person should look at it."""
    return Outcome("warn", _lines(problems))


def verdict(problems: Sequence[str], otherwise: Outcome | str) -> Outcome:
    """Failed if there are problems."""
    if problems:
        return failed(problems)
    return passed(otherwise) if isinstance(otherwise, str) else otherwise


def _lines(problems: Sequence[str]) -> str:
    shown = list(problems[:_MOST_PROBLEMS])
    if len(problems) > len(shown):
        shown.append(f"and {len(problems) - len(shown)} more")
    return "\n".join(shown)
