"""Regular expressions of others: which of them cannot take for ever.

Adapters name layers by regular expressions, which Python matches by trying one way after the other:
a pattern of twenty characters can keep it busy for years. Patterns for names of layers are simple,
so those that could have too many ways to match are refused unseen.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable

MAX_LENGTH = 500
# Most ways to match a name, in rough numbers; a second is enough to try so many.
_MOST_WAYS = 1e8
_NAME_LENGTH = 100  # of the longest names of layers
_SLOW = "matching it could take for ever"
_GROUP = re.compile(r"\((?:\?(?::|=|!|<=|<!|P<\w+>))?")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_REPETITION = re.compile(r"(?:[*+?]|\{\d*,?\d*\})[?+]?")


def check_patterns(patterns: Iterable[str]) -> None:
    """Check regular expressions, each by itself and all of them together.

    Raises:
        ValueError: with the first that is none, or could take for ever.
    """
    ways = 0.0
    for pattern in patterns:
        try:
            ways += _ways_to_match(pattern)
            if ways > _MOST_WAYS:
                raise ValueError(f"has too many repetitions and choices: {_SLOW}")
        except ValueError as error:
            raise ValueError(f"{pattern[:80]!r} {error}") from error


def _ways_to_match(pattern: str) -> float:
    """Multiply up the ways that each repetition and each choice adds.

    A repetition of something that can itself match in several ways is refused altogether: there
    the ways double with every character.

    Raises:
        ValueError: if it is no regular expression, or of a kind whose ways are not counted.
    """
    if len(pattern) > MAX_LENGTH:
        raise ValueError(f"is longer than {MAX_LENGTH} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is no regular expression: {error}") from error
    ways = 1.0
    open_groups = [_Group()]
    closed: _Group | None = None  # the group that ends right before the position, if one does
    position = 0
    while position < len(pattern):
        before, closed = closed, None
        char = pattern[position]
        if char == "\\":
            position += 2
        elif char == "[" and (found := _CLASS.match(pattern, position)):
            position = found.end()
        elif char == "(":
            group = _GROUP.match(pattern, position)
            if group is None or pattern.startswith("?", group.end()):
                raise ValueError("has flags, comments or conditions, which no name needs")
            open_groups.append(_Group())
            position = group.end()
        elif char == ")":
            closed = open_groups.pop()
            if not open_groups:
                raise ValueError("has brackets that do not match")
            open_groups[-1].varies |= closed.varies
            position += 1
        elif char == "|":
            choices = open_groups[-1].choices = open_groups[-1].choices + 1
            ways *= choices / (choices - 1)
            open_groups[-1].varies = True
            position += 1
        elif repetition := _REPETITION.match(pattern, position):
            optional = repetition[0].startswith("?")
            if before is not None and before.varies and not optional:
                raise ValueError(f"repeats a repetition or a choice: {_SLOW}")
            ways *= 2 if optional else _NAME_LENGTH
            open_groups[-1].varies = True
            position = repetition.end()
        else:
            position += 1
    return ways


class _Group:
    """An open bracket: how many choices it has, and whether it can match in several ways."""

    def __init__(self) -> None:
        self.choices = 1
        self.varies = False
