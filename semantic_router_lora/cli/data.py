"""``semantic-router-lora data``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semantic_router_lora.cli.output import print_table

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Work with files of triplets."""


@app.command("check")
def data_check(
    files: Annotated[list[Path], typer.Argument(help="Triplet files: .jsonl, .csv, .parquet.")],
) -> None:
    """Report duplicates, leaks and near-identical pairs (these fail), and the files' statistics."""
    from semantic_router_lora.data.check import check_files
    from semantic_router_lora.data.report import problem_lines, statistics_table

    report = check_files(files)
    print_table(statistics_table(report))
    for line in problem_lines(report):
        typer.echo(line)
    if not report.passed:
        raise typer.Exit(1)
