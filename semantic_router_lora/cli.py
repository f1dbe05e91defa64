"""The command line. Each command imports what it needs when it runs, so that --help is instant."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer
from rich.console import Console

from semantic_router_lora.errors import SemanticRouterLoraError

if TYPE_CHECKING:
    from semantic_router_lora.tables import Table

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
benchmark_app = typer.Typer()
data_app = typer.Typer(no_args_is_help=True)
adapter_app = typer.Typer(no_args_is_help=True)
app.add_typer(benchmark_app, name="benchmark", help="Measure whether an adapter helps.")
app.add_typer(data_app, name="data", help="Work with files of triplets.")
app.add_typer(adapter_app, name="adapter", help="Work with adapters.")

_DEFAULT_BASE = "sentence-transformers/all-MiniLM-L6-v2"


def main() -> None:
    """Run the command line; one line on standard error for an error of this package."""
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


@benchmark_app.callback(invoke_without_command=True)
def benchmark(
    context: typer.Context,
    suite: Annotated[
        Optional[list[str]],  # noqa: UP045  (typer evaluates it on Python 3.10 too)
        typer.Option(help="'bundled', 'bundled:dev' or a triplet file; may be repeated."),
    ] = None,
    adapter: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="Bundled name, folder or Hub id; may be repeated. Default: all bundled."),
    ] = None,
    base: Annotated[
        str, typer.Option(help="The baseline and base of the adapters.")
    ] = _DEFAULT_BASE,
    sample_size: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="At most so many triplets of each suite. Default: all."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the sample and the bootstrap.")] = 42,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps, ...")] = "auto",
    output: Annotated[Path, typer.Option(help="Folder for results.json and results.md.")] = Path(
        "benchmark-results"
    ),
) -> None:
    """Print the margin table of a base model and adapters, and write all figures."""
    if context.invoked_subcommand is not None:
        return
    from semantic_router_lora.benchmark.report import figures_table, margin_table, to_markdown
    from semantic_router_lora.benchmark.run import run_benchmark
    from semantic_router_lora.benchmark.suite import load_suites

    results = run_benchmark(
        load_suites(suite or ["bundled"]),
        base=base,
        adapters=adapter or None,
        sample_size=sample_size,
        seed=seed,
        device=device,
        command=shlex.join(["semantic-router-lora", *sys.argv[1:]]),
        show_progress=sys.stderr.isatty(),
    )
    output.mkdir(parents=True, exist_ok=True)
    _write(output / "results.json", results.to_json())
    _write(output / "results.md", to_markdown(results))
    _print(margin_table(results))
    _print(figures_table(results))
    typer.echo(f"Written to {output / 'results.json'} and {output / 'results.md'}")


@benchmark_app.command("report")
def benchmark_report(
    results: Annotated[Path, typer.Argument(help="A results.json.")],
) -> None:
    """Render the tables of earlier results as Markdown."""
    from semantic_router_lora.benchmark.report import to_markdown
    from semantic_router_lora.benchmark.results import read_results

    typer.echo(to_markdown(read_results(results)))


@data_app.command("check")
def data_check(
    files: Annotated[list[Path], typer.Argument(help="Triplet files: .jsonl, .csv, .parquet.")],
) -> None:
    """Report duplicates, leaks and near-identical pairs (these fail), and the files' statistics."""
    from semantic_router_lora.data.check import check_files
    from semantic_router_lora.data.report import problem_lines, statistics_table

    report = check_files(files)
    _print(statistics_table(report))
    for line in problem_lines(report):
        typer.echo(line)
    if not report.passed:
        raise typer.Exit(1)


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="A YAML recipe, see training/recipes.")],
    output: Annotated[
        Optional[Path],  # noqa: UP045
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


@adapter_app.command("list")
def adapter_list() -> None:
    """List the bundled adapters."""
    from semantic_router_lora.adapters.resolve import bundled_adapters

    for name in bundled_adapters():
        typer.echo(name)


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def _print(table: Table) -> None:
    from rich.table import Table as RichTable

    drawn = RichTable(title=table.title, title_justify="left")
    for number, column in enumerate(table.columns):
        drawn.add_column(column, justify="left" if number == 0 else "right")
    for row in table.rows:
        drawn.add_row(*row)
    # in a pipe or a log there is no width to fit into
    Console(width=None if sys.stdout.isatty() else 160).print(drawn)
