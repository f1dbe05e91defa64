"""The command line. Each command imports what it needs when it runs, so that --help is instant."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer
from rich.console import Console

from semantic_router_lora.cli import (
    adapter,
    benchmark,
    calibrate,
    data,
    encode,
    export,
    fit,
    generate,
    mine,
    train,
)
from semantic_router_lora.errors import SemanticRouterLoraError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(benchmark.app, name="benchmark", help="Measure whether an adapter helps.")
app.command("calibrate")(calibrate.calibrate)
app.add_typer(data.app, name="data", help="Work with files of triplets.")
app.command("generate")(generate.generate)
app.add_typer(mine.app, name="mine", help="Make triplets from groups, pairs, routes or a log.")
app.command("train")(train.train)
app.command("fit")(fit.fit)
app.command("encode")(encode.encode)
app.command("export")(export.export)
app.add_typer(adapter.app, name="adapter", help="Work with adapters.")


def main() -> None:
    """Run the command line; one line on standard error for an error of this package."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # texts of users go to terminals of all kinds
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except SemanticRouterLoraError as error:
        Console(stderr=True).print("Error:", str(error), style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _version(shown: bool) -> None:
    if shown:
        from semantic_router_lora import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """LoRA-adapted sentence encoders for semantic-router and semantic caches."""
