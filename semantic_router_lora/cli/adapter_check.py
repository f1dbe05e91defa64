"""``semantic-router-lora adapter check``."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer


class _Format(str, Enum):
    text = "text"
    json = "json"
    markdown = "markdown"


def check(
    adapter: Annotated[
        str, typer.Argument(metavar="REF_OR_DIR", help="Folder, bundled name or Hub id.")
    ],
    data: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(
            exists=True,
            dir_okay=False,
            help="File that it was trained on, to be held against the test suites; repeatable.",
        ),
    ] = None,
    base: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Folder or Hub id of the base, if not where its name leads."),
    ] = None,
    rerun: Annotated[
        bool, typer.Option("--rerun/--no-rerun", help="Run the benchmark again (a minute).")
    ] = True,
    format: Annotated[_Format, typer.Option(help="Of the report.")] = _Format.text,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            dir_okay=False, help="File for the report; the terminal then shows it as text."
        ),
    ] = None,
) -> None:
    """Check an adapter as a maintainer would by hand, and say whether to accept it.

    Exits with 0 if no check failed, with 1 if one did, with 2 on a wrong argument.
    """
    from semantic_router_lora.adapters.resolve import resolve_adapter
    from semantic_router_lora.checking import check_adapter
    from semantic_router_lora.cli.output import write
    from semantic_router_lora.errors import ModelReferenceError

    folder = Path(adapter).expanduser()
    if not folder.is_dir():  # a folder that lacks files is to be checked, too
        try:
            folder = resolve_adapter(adapter).folder
        except ModelReferenceError as error:
            raise typer.BadParameter(str(error), param_hint="REF_OR_DIR") from error
    report = check_adapter(
        folder,
        name=adapter,
        base=base,
        data=data or (),
        rerun=rerun,
        show_progress=sys.stderr.isatty(),
    )
    text = getattr(report, f"to_{format.value}")()
    if output is None:
        typer.echo(text, nl=False)
    else:
        write(output, text)
        typer.echo(report.to_text(), nl=False)
    if not report.ok:
        raise typer.Exit(1)
