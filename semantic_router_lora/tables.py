"""Plain tables, for the terminal and for Markdown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A title, column heads, and rows of text."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def to_markdown(self) -> str:
        """A Markdown table under a bold title."""
        rule = "|".join("---" if number == 0 else "---:" for number in range(len(self.columns)))
        lines = [f"| {' | '.join(cells)} |" for cells in (self.columns, *self.rows)]
        lines.insert(1, f"|{rule}|")
        return f"**{self.title}**\n\n" + "\n".join(lines) + "\n"
