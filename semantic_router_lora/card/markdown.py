"""Texts of unknown origin inside Markdown, and the sections of a card."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

NOT_RECORDED = "not recorded"

_SPECIAL = re.compile(r"([\\`*|<>\[\]])")
_ESCAPED = re.compile(r"\\([\\`*|<>\[\]])")
_SECTION = re.compile(r"^## +(.*)$", re.M)
_LIST = re.compile(r"\s*(?:[-+*>#=]|\d+[.)])(?:\s|$)")
_CELL_END = re.compile(r"(?<!\\)(?:\\\\)*\|")


def plain(value: object) -> str:
    """A value as one line of text in which nothing is Markdown or HTML."""
    line = " ".join(str(value).split())
    return _SPECIAL.sub(r"\\\1", "".join(sign for sign in line if sign.isprintable()))


def unescaped(line: str) -> str:
    """What `plain` was given."""
    return _ESCAPED.sub(r"\1", line)


def code(value: object) -> str:
    """A value in the type of code, also in a table; backticks in it are dropped."""
    line = " ".join(str(value).replace("`", "").replace("|", "\\|").split())
    return f"`{line}`" if line else NOT_RECORDED


def cells(row: str) -> list[str]:
    """The cells of a row of a Markdown table."""
    inner = row.strip().removeprefix("|").removesuffix("|")
    parts, start = [], 0
    for match in _CELL_END.finditer(inner):
        parts.append(inner[start : match.end() - 1].strip())
        start = match.end()
    return [*parts, inner[start:].strip()]


def paragraph(prose: str, indent: str = "") -> str:
    """Prose in lines of readable length; as it is where a line would begin like a list."""
    wrapped = textwrap.fill(
        prose, 100, break_long_words=False, break_on_hyphens=False, subsequent_indent=indent
    )
    return prose if any(map(_LIST.match, wrapped.splitlines()[1:])) else wrapped


def point(prose: str) -> str:
    """An item of a list."""
    return paragraph(f"- {prose}", "  ")


def percent(share: float) -> str:
    """A share without decimals; no line ends before its sign."""
    return f"{share * 100:.0f}\u00a0%"


def table(columns: Iterable[str], rows: Iterable[Iterable[str]], *, numbers_from: int = 1) -> str:
    """A Markdown table; from one column on, cells stand to the right."""
    heads = list(columns)
    rule = "|".join("---" if place < numbers_from else "---:" for place in range(len(heads)))
    lines = [f"| {' | '.join(line)} |" for line in (heads, *rows)]
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])


def sections(body: str) -> list[tuple[str, str]]:
    """The sections of a card, each with its heading; what comes before the first has none."""
    marks = list(_SECTION.finditer(body))
    ends = [mark.start() for mark in marks] + [len(body)]
    found = [("", body[: ends[0]].strip())]
    for mark, end in zip(marks, ends[1:], strict=True):
        found.append((mark[1].rstrip(" "), body[mark.end() : end].strip()))
    return found


def listed(items: Iterable[str]) -> str:
    """Items as ``a, b and c``."""
    found = list(items)
    return f"{', '.join(found[:-1])} and {found[-1]}" if len(found) > 1 else "".join(found)
