"""``semantic-router-lora benchmark speed``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from semantic_router_lora.cli.output import command_line, make_folder, print_table, write


def speed(
    rounds: Annotated[int, typer.Option(help="Of all encoders; figures are medians.")] = 5,
    threads: Annotated[
        Optional[int],  # noqa: UP045  (typer evaluates it on Python 3.10 too)
        typer.Option(help="Of each encoder. Default: all cores."),
    ] = None,
    scale: Annotated[float, typer.Option(help="Share of the texts of A and B.")] = 1.0,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder for speed.json and speed.md."),
    ] = None,
) -> None:
    """Time encoders side by side, as multiples of semantic-router's HuggingFaceEncoder."""
    import json
    import os

    from semantic_router_lora.benchmark.speed.run import run_speed, speed_table

    if output is not None:
        make_folder(output)
    content = run_speed(
        rounds=rounds,
        scale=scale,
        threads=threads or os.cpu_count() or 1,
        progress=lambda text: typer.echo(text, err=True),
    )
    table = speed_table(content)
    print_table(table)
    if output is not None:
        content = {"command": command_line(), **content}
        write(output / "speed.json", json.dumps(content, indent=1) + "\n")
        write(output / "speed.md", table.to_markdown())
        typer.echo(f"Written to {output / 'speed.json'} and speed.md")
