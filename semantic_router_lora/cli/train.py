"""``semantic-router-lora train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def train(
    recipe: Annotated[Path, typer.Argument(help="A YAML recipe, see training/recipes.")],
    output: Annotated[
        Optional[Path],  # noqa: UP045  (typer evaluates it on Python 3.10 too)
        typer.Option(help="Folder of the new adapter. Default: runs/<name of the recipe>."),
    ] = None,
) -> None:
    """Train an adapter and prove that what was written is what was trained."""
    from semantic_router_lora.training.recipe import load_recipe
    from semantic_router_lora.training.trainer import train as run

    loaded = load_recipe(recipe)
    folder = output or Path("runs") / loaded.name
    proof = run(loaded, folder)
    typer.echo(f"Adapter written to {folder}; loaded afresh, its vectors are {proof}")
