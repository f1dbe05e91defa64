"""``semantic-router-lora adapter``."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Work with adapters."""


@app.command("list")
def adapter_list() -> None:
    """List the bundled adapters."""
    from semantic_router_lora.adapters.resolve import bundled_adapters

    for name in bundled_adapters():
        typer.echo(name)
