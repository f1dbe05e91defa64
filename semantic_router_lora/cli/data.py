"""``semantic-router-lora data``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from semantic_router_lora.cli.output import make_folder, print_table

app = typer.Typer(no_args_is_help=True)

_Files = Annotated[list[Path], typer.Argument(help="Triplet files: .jsonl, .csv, .parquet.")]
_File = Annotated[Path, typer.Argument(help="A triplet file: .jsonl, .csv, .parquet.")]


class _Near(str, Enum):
    paraphrases = "paraphrases"
    all = "all"
    none = "none"


@app.callback()
def _group() -> None:
    """Work with files of triplets."""


@app.command("check")
def data_check(files: _Files) -> None:
    """Report duplicates, leaks and near-identical pairs (these fail), and the files' statistics."""
    from semantic_router_lora.data.check import check_files
    from semantic_router_lora.data.report import problem_lines, statistics_table

    report = check_files(files)
    print_table(statistics_table(report.statistics))
    for line in problem_lines(report):
        typer.echo(line)
    if not report.passed:
        raise typer.Exit(1)


@app.command("stats")
def data_stats(files: _Files) -> None:
    """Show the files' statistics, without checking them. Reads a file of any size."""
    from semantic_router_lora.data.report import statistics_table
    from semantic_router_lora.data.statistics import file_statistics
    from semantic_router_lora.data.triplets import iter_triplets

    print_table(
        statistics_table({str(path): file_statistics(iter_triplets(path)) for path in files})
    )


@app.command("merge")
def data_merge(
    files: _Files,
    output: Annotated[Path, typer.Option(help="File to write: .jsonl, .csv or .parquet.")],
    near: Annotated[
        _Near,
        typer.Option(
            help="Which texts are also compared by their words, outside of their group: "
            "negatives can differ from other texts in the order of words alone."
        ),
    ] = _Near.paraphrases,
) -> None:
    """Write the rows of all files into one, leaving out what repeats or contradicts earlier rows.

    Rows of one group may share paraphrases. Works on files of any size: memory stays the same,
    and a temporary file beside the output holds about 250 bytes a row.
    """
    from semantic_router_lora.data.merge import merge_files
    from semantic_router_lora.data.report import merge_lines

    counts = merge_files(files, output, near.value)
    for line in merge_lines(counts, files, output):
        typer.echo(line)


@app.command("split")
def data_split(
    file: _File,
    output_folder: Annotated[Path, typer.Option(help="Folder for the parts.")],
    train: Annotated[float, typer.Option(help="Share of the rows to train on.")] = 0.8,
    dev: Annotated[float, typer.Option(help="Share of the rows to choose by.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share of the rows to measure on.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Decides between equal choices.")] = 0,
    stream: Annotated[
        bool,
        typer.Option(
            "--stream",
            help="For a file of any size: groups go to parts by chance, and rows that share a text "
            "with another part are left out.",
        ),
    ] = False,
) -> None:
    """Part a file into train, dev and test that share no group, no text and no near-identical one.

    The parts have like shares of each domain and trap. Without --stream the whole file is read
    into memory. With it, near-identical texts that differ by more than one word are not found.
    """
    from semantic_router_lora.data.report import split_table
    from semantic_router_lora.data.split import split_file
    from semantic_router_lora.data.split_stream import split_stream

    make_folder(output_folder)
    part = split_stream if stream else split_file
    split = part(file, output_folder, {"train": train, "dev": dev, "test": test}, seed)
    print_table(split_table(split))
    for path in split.files.values():
        typer.echo(path)
    if stream:
        typer.echo(
            "no text in two parts, and no near-identical one that differs by a single word; "
            "those that differ by more were not looked for (data check does)"
        )
    else:
        typer.echo("no leak and no near-identical pair between them")


@app.command("sample")
def data_sample(
    file: _File,
    size: Annotated[int, typer.Option("-n", "--size", help="How many rows.")],
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    domain: Annotated[str | None, typer.Option(help="Draw from this domain alone.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="File to write: .jsonl, .csv or .parquet.")
    ] = None,
) -> None:
    """Draw rows at random, each as likely as any other, from a file of any size.

    Prints them as JSON lines, in the order of the file, if no output is named.
    """
    from semantic_router_lora.data.sample import sample_rows
    from semantic_router_lora.data.writing import check_output, json_line, write_rows

    if output is not None:
        check_output(output)
    rows = sample_rows(file, size, seed, domain)
    if len(rows) < size:
        typer.echo(f"{file} holds only {len(rows)} such rows", err=True)
    if output is None:
        for row in rows:
            typer.echo(json_line(row), nl=False)
    else:
        write_rows(output, rows)
        typer.echo(f"{len(rows):,} rows written to {output}")
