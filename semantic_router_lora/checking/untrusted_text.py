"""Text of strangers, made fit for a terminal and for Markdown."""

from __future__ import annotations

import re
import unicodedata

_LONGEST_LINE = 300
# Control, format (which turns the direction of writing round), surrogate, private, unassigned
# characters, and separators of lines and paragraphs.
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def printable(text: str) -> str:
    """Text without characters that steer a terminal or hide what is written; lines stay lines."""
    return "\n".join(_line(line) for line in text.split("\n"))


def _line(line: str) -> str:
    if len(line) > _LONGEST_LINE:
        line = f"{line[:_LONGEST_LINE]} … ({len(line):,} characters)"
    return "".join(_visible(character) for character in line)


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def markdown_code(text: str) -> str:
    """Text as inline code, for a cell of a table: no markup, link or mention in it comes to life.

    Lines stay apart by ``<br>``.
    """
    return "<br>".join(_code(line) for line in printable(text).split("\n") if line.strip())


def _code(line: str) -> str:
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    # a cell ends at a bar, in code too, unless a backslash stands before it
    content = line.replace("|", "\\|")
    padded = f" {content} " if content.startswith("`") or content.endswith("`") else content
    return f"{fence}{padded}{fence}"
