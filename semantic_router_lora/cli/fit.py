"""``semantic-router-lora fit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def fit(
    router: Annotated[Path, typer.Argument(help="A router file of semantic-router.")],
    output: Annotated[Path, typer.Option(help="Folder to create.")],
    queries: Annotated[
        Optional[list[Path]],  # noqa: UP045  (typer evaluates it on Python 3.10 too)
        typer.Option(help="Labelled queries, or a log of decisions marked right or wrong."),
    ] = None,
    out_of_scope: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Queries that no route is right for: a text a line, or rows."),
    ] = None,
    validation: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Labelled queries to judge by, in place of folds."),
    ] = None,
    base: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Base model. Default: that of the file's encoder."),
    ] = None,
    adapter: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Adapter to start from. Default: that of the file's encoder."),
    ] = None,
    folds: Annotated[int, typer.Option(help="Parts that are held out in turn.", min=2)] = 5,
    processes: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="That train side by side. Default: up to 4 on a CPU.", min=1),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of folds and training.", min=0)] = 42,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an unfinished fit, if there is one.")
    ] = False,
    license: Annotated[
        str, typer.Option(help="Of the adapter, as the Hub names it; other: unpublished.")
    ] = "other",
) -> None:
    """Train an adapter for a router's routes; keep it if held-out queries are routed better."""
    from semantic_router_lora.cli.output import print_table
    from semantic_router_lora.fitting.fit import fit_adapter
    from semantic_router_lora.training.run import Interrupted

    try:
        report = fit_adapter(
            router,
            output,
            queries=queries or None,
            out_of_scope=out_of_scope,
            validation=validation,
            base=base,
            adapter=adapter,
            folds=folds,
            processes=processes,
            seed=seed,
            resume=resume,
            license=license,
            progress=lambda text: typer.echo(text, err=True),
        )
    except (Interrupted, KeyboardInterrupt) as stopped:
        place = f" at {stopped}" if str(stopped) else ""
        typer.echo(f"Stopped{place}; finished folds are kept: go on with --resume", err=True)
        raise typer.Exit(130) from None
    for table in report.tables():
        print_table(table)
    typer.echo(report.verdict())
    typer.echo(f"Report: {output / 'report.md'}")
    if report.kept:
        typer.echo(f"Adapter: {report.adapter}")
    if report.router:
        typer.echo(f"Router: {report.router}")
