"""Writing files and printing tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from semantic_router_lora.errors import InputError

if TYPE_CHECKING:
    from semantic_router_lora.tables import Table

DEFAULT_BASE = "sentence-transformers/all-MiniLM-L6-v2"


def command_line() -> str:
    """The command that is running, as a user would type it."""
    import shlex

    return shlex.join(["semantic-router-lora", *sys.argv[1:]])


def make_folder(path: Path) -> None:
    """Make an output folder before the work that fills it.

    Raises:
        InputError: if it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"output folder {path} cannot be made: {error.strerror}") from error


def write(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all."""
    unfinished = path.with_name(path.name + ".part")
    try:
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def print_table(table: Table) -> None:
    """Draw a table on standard output."""
    from rich.console import Console
    from rich.table import Table as RichTable

    drawn = RichTable(title=table.title, title_justify="left")
    for number, column in enumerate(table.columns):
        drawn.add_column(column, justify="left" if number == 0 else "right")
    for row in table.rows:
        drawn.add_row(*row)
    # in a pipe or a log there is no width to fit into; cells hold texts of users, brackets and all
    width = None if sys.stdout.isatty() else 160
    Console(width=width, markup=False, emoji=False, highlight=False).print(drawn)
