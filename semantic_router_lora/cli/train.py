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
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an unfinished run, if there is one.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Try a few steps, and say what the run would take.")
    ] = False,
    base_folder: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Where the recipe's base lies, if it is not found by its name."),
    ] = None,
) -> None:
    """Train an adapter and prove that what was written is what was trained."""
    from semantic_router_lora.training.recipe_file import load_recipe
    from semantic_router_lora.training.run import Interrupted
    from semantic_router_lora.training.run import train as run

    loaded = load_recipe(recipe)
    if dry_run:
        from semantic_router_lora.cli.output import print_table
        from semantic_router_lora.training.plan import plan

        print_table(plan(loaded, base_folder).table(loaded.name))
        return
    folder = output or Path("runs") / loaded.name
    try:
        proof = run(loaded, folder, base_folder=base_folder, resume=resume)
    except Interrupted as stopped:
        typer.echo(f"Stopped at {stopped}; go on with --resume", err=True)
        raise typer.Exit(130) from None
    if proof:
        typer.echo(f"Adapter written to {folder}; loaded afresh, its vectors are {proof}")
