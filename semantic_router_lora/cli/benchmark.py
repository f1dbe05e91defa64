"""``semantic-router-lora benchmark``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from semantic_router_lora.cli.output import (
    DEFAULT_BASE,
    command_line,
    make_folder,
    print_table,
    write,
)
from semantic_router_lora.cli.speed import speed

if TYPE_CHECKING:
    from semantic_router_lora.benchmark.suite import Suite

# Optional[...] because typer evaluates annotations on Python 3.10 too.
Texts = Optional[list[str]]  # noqa: UP045
Adapters = Annotated[
    Texts,
    typer.Option(
        "--adapter",
        help="Bundled name, folder or Hub id; may be repeated. Default: all bundled, with the "
        "default base.",
    ),
]
Base = Annotated[str, typer.Option(help="The baseline and base of the adapters.")]
REFERENCE_BASE = "sentence-transformers/all-MiniLM-L12-v2"
Seed = Annotated[int, typer.Option(help="Of samples, order and bootstrap.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, mps, ...")]
Output = Annotated[Path, typer.Option(help="Folder for the files that are written.")]

app = typer.Typer()
app.command("speed")(speed)


@app.callback(invoke_without_command=True)
def benchmark(
    context: typer.Context,
    suite: Annotated[
        Texts,
        typer.Option(
            help="'bundled', 'bundled:dev', a triplet file, hub:owner/name or a folder of the "
            "reference's layout; may be repeated."
        ),
    ] = None,
    dev: Annotated[
        Texts,
        typer.Option(
            help="As --suite: what thresholds are chosen on. Default, for bundled suites: "
            "bundled:dev."
        ),
    ] = None,
    adapter: Adapters = None,
    base: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="The baseline and base of the adapters. Default: all-MiniLM-L6-v2; for the "
            "reference's test sets, all-MiniLM-L12-v2."
        ),
    ] = None,
    sample_size: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="At most so many triplets of each suite. Default: all."),
    ] = None,
    seed: Seed = 42,
    device: Device = "auto",
    output: Output = Path("benchmark-results"),
    fail_under: Annotated[
        Texts,
        typer.Option(help="metric=value: exit with 1 if an adapter's mean is lower; repeatable."),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Print the reference system's own figures, too.")
    ] = False,
) -> None:
    """Print the tables of a base model and adapters, and write all figures."""
    if context.invoked_subcommand is not None:
        return
    from semantic_router_lora.benchmark.compare import limits_missed, parse_limit
    from semantic_router_lora.benchmark.published import published_tables
    from semantic_router_lora.benchmark.report import tables, to_markdown
    from semantic_router_lora.benchmark.run import run_benchmark
    from semantic_router_lora.benchmark.suite import load_suites

    names = suite or ["bundled"]
    dev_suites = _dev_suites(names, dev)
    limits = [parse_limit(limit, with_dev=bool(dev_suites)) for limit in fail_under or []]
    make_folder(output)
    suites = load_suites(names)
    if base is None:
        base = REFERENCE_BASE if all(suite.reference for suite in suites) else DEFAULT_BASE
    results = run_benchmark(
        suites,
        base=base,
        dev=dev_suites,
        adapters=_adapters(adapter, base),
        sample_size=sample_size,
        seed=seed,
        device=device,
        command=command_line(),
        show_progress=sys.stderr.isatty(),
    )
    write(output / "results.json", results.to_json())
    write(output / "results.md", to_markdown(results))
    for table in tables(results):
        print_table(table)
    if lacking := [suite.domain for suite in results.suites if suite.dev_source is None]:
        typer.echo(f"No threshold from dev for {', '.join(lacking)}: give dev triplets with --dev")
    if published:
        note, theirs = published_tables()
        for table in theirs:
            print_table(table)
        typer.echo(note)
    typer.echo(f"Written to {output / 'results.json'} and {output / 'results.md'}")
    missed = limits_missed(results, limits)
    for line in missed:
        typer.echo(line, err=True)
    if missed:
        raise typer.Exit(1)


def _adapters(named: list[str] | None, base: str) -> list[str] | None:
    """The adapters that are named; else the bundled ones, with the base that they are made for."""
    return named or (None if base == DEFAULT_BASE else [])


def _dev_suites(suites: list[str], dev: list[str] | None) -> list[Suite]:
    from semantic_router_lora.benchmark.suite import load_suites

    # the bundled dev triplets are like the bundled test triplets, and like nobody else's
    own = ["bundled:dev"] if {"bundled", "bundled:test"} & set(suites) else []
    return load_suites(dev or own)


@app.command("replay")
def benchmark_replay(
    stream: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Argument(
            help="Triplets, or JSON lines with text and answer. Default: the bundled test triplets."
        ),
    ] = None,
    adapter: Adapters = None,
    base: Base = DEFAULT_BASE,
    index: Annotated[str, typer.Option(help="local, or qdrant (in memory).")] = "local",
    capacity: Annotated[int, typer.Option(help="Most entries of a cache.")] = 10_000,
    threshold: Annotated[
        Optional[list[float]],  # noqa: UP045
        typer.Option(help="May be repeated. Default: 0.60 to 0.98 by 0.02."),
    ] = None,
    seed: Seed = 42,
    device: Device = "auto",
    output: Output = Path("benchmark-results"),
) -> None:
    """Send queries through real caches: hit rate and false hits at each threshold."""
    from semantic_router_lora.benchmark.replay import budget_table, replay_table
    from semantic_router_lora.benchmark.replay_run import replays_to_json, run_replays

    make_folder(output)
    results = run_replays(
        stream or [],
        adapters=_adapters(adapter, base),
        base=base,
        index=index,
        capacity=capacity,
        thresholds=threshold,
        seed=seed,
        device=device,
        show_progress=sys.stderr.isatty(),
    )
    write(output / "replay.json", replays_to_json(results, command_line(), seed, stream or []))
    print_table(budget_table(results))
    print_table(replay_table(results))
    typer.echo(f"Written to {output / 'replay.json'}")


@app.command("report")
def benchmark_report(
    results: Annotated[list[Path], typer.Argument(help="A results.json, a replay.json, or both.")],
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder for report.html and PNG pictures; else Markdown is printed."),
    ] = None,
) -> None:
    """Render earlier results: Markdown on standard output, or HTML and pictures in a folder."""
    from semantic_router_lora.benchmark.html import to_html
    from semantic_router_lora.benchmark.plots import pictures
    from semantic_router_lora.benchmark.replay import budget_table, replay_table
    from semantic_router_lora.benchmark.replay_run import read_any
    from semantic_router_lora.benchmark.report import to_markdown

    if output is not None:
        make_folder(output)
    measured, replays = read_any(results)
    if output is None:
        typer.echo(to_markdown(measured) if measured else "")
        for table in (budget_table(replays), replay_table(replays)) if replays else ():
            typer.echo(table.to_markdown())
        return
    write(output / "report.html", to_html(measured, replays))
    for theme in ("light", "dark"):
        for name, png in pictures(measured, replays, theme).items():
            write(output / f"{name}-{theme}.png", png)
    typer.echo(f"Written to {output / 'report.html'}")


@app.command("compare")
def benchmark_compare(
    first: Annotated[Path, typer.Argument(help="A results.json.")],
    second: Annotated[Path, typer.Argument(help="Another.")],
) -> None:
    """Say what changed between two runs, and whether the intervals overlap."""
    from semantic_router_lora.benchmark.compare import compare_table
    from semantic_router_lora.benchmark.results import read_results

    print_table(compare_table(read_results(first), read_results(second)))
