"""``semantic-router-lora mine``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from semantic_router_lora.cli.output import DEFAULT_BASE
from semantic_router_lora.errors import InputError

if TYPE_CHECKING:
    from semantic_router_lora.mining.questions import Questions

app = typer.Typer(no_args_is_help=True)

_File = Annotated[Path, typer.Argument(help="What to mine.", show_default=False)]
_Output = Annotated[
    Path, typer.Option("--output", "-o", help="The triplets: .jsonl, .csv or .parquet.")
]
_Embedder = Annotated[
    str, typer.Option(help="Decides what is near: <base>, or <base>+lora:<adapter>.")
]
_Device = Annotated[str, typer.Option(help="auto, cpu, cuda, mps, ...")]
_Negatives = Annotated[int, typer.Option(help="Near misses of each pair of paraphrases.")]
_MaxPairs = Annotated[int, typer.Option(help="Most pairs of paraphrases tried in one group.")]
_Margin = Annotated[
    Optional[float],  # noqa: UP045  (typer evaluates it on Python 3.10 too)
    typer.Option(help="How much less similar than the positive a near miss is at least."),
]
_RelativeMargin = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(help="The same, as a share. Default: 0.05 if no --margin is given."),
]
_MaxScore = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(help="Highest similarity of anchor and near miss."),
]
_MinScore = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(help="Lowest similarity of anchor and near miss."),
]
_Reuse = Annotated[
    bool, typer.Option("--reuse", help="Let a text be a near miss of several groups.")
]
_Domain = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="Written to every row."),
]
_Source = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="Written to every row. Default: the file's name."),
]
_Seed = Annotated[int, typer.Option(help="Of the choice of pairs.")]


@app.callback()
def _group() -> None:
    """Make triplets without a language model."""


def _groups(file: Path) -> Questions:
    from semantic_router_lora.mining.questions import of_groups
    from semantic_router_lora.mining.read import read_groups

    return of_groups(read_groups(file))


def _pairs(file: Path) -> Questions:
    from semantic_router_lora.mining.mine import of_pairs
    from semantic_router_lora.mining.read import read_linked_pairs

    return of_pairs(read_linked_pairs(file))


def _routes(file: Path) -> Questions:
    from semantic_router_lora.mining.questions import of_groups
    from semantic_router_lora.mining.routes import read_routes

    return of_groups(read_routes(file))


def _log(file: Path) -> Questions:
    from semantic_router_lora.mining.mine import of_log
    from semantic_router_lora.mining.read import read_log

    return of_log(read_log(file))


def _add(name: str, load: Callable[[Path], Questions], description: str) -> None:
    """Add a subcommand: all have the same options, and differ in what they read."""

    def command(
        file: _File,
        output: _Output,
        embedder: _Embedder = DEFAULT_BASE,
        negatives: _Negatives = 1,
        max_pairs_per_group: _MaxPairs = 50,
        margin: _Margin = None,
        relative_margin: _RelativeMargin = None,
        max_score: _MaxScore = None,
        min_score: _MinScore = None,
        reuse: _Reuse = False,
        domain: _Domain = None,
        source: _Source = None,
        seed: _Seed = 42,
        device: _Device = "auto",
    ) -> None:
        from semantic_router_lora.cli.output import print_table
        from semantic_router_lora.data.writing import check_output, write_rows
        from semantic_router_lora.embedder import Embedder
        from semantic_router_lora.mining.mine import check_minable, mine
        from semantic_router_lora.mining.options import MiningOptions
        from semantic_router_lora.mining.tally import tally_table

        options = MiningOptions(
            negatives=negatives,
            max_pairs_per_group=max_pairs_per_group,
            margin=margin,
            relative_margin=relative_margin,
            max_score=max_score,
            min_score=min_score,
            reuse=reuse,
            seed=seed,
            domain=domain,
            source=source or file.name,
        )
        check_output(output)
        if output.is_dir() or output.resolve() == file.resolve():
            raise InputError(f"output {output} is {'a folder' if output.is_dir() else 'the input'}")
        questions = load(file)
        check_minable(questions)
        mined = mine(
            questions,
            Embedder.from_reference(embedder, device=device),
            options,
            show_progress=sys.stderr.isatty(),
        )
        write_rows(output, map(asdict, mined.triplets))
        print_table(tally_table(mined.tallies))
        if reuse or negatives > 1:
            typer.echo("`data check` will report what --reuse and --negatives repeat.")

    app.command(name, help=description)(command)


_add(
    "groups",
    _groups,
    "Rows of a text and its group, intent or label: texts of one group are paraphrases, the "
    "nearest of other groups near misses.",
)
_add(
    "pairs",
    _pairs,
    "Rows of anchor and positive, or of two texts and a label: pairs labelled as different are "
    "near misses, and what lacks some gets the nearest text of no duplicate.",
)
_add(
    "routes",
    _routes,
    "A file of semantic-router, .yaml or .json: utterances of one route are paraphrases, the "
    "nearest of other routes near misses.",
)
_add(
    "log",
    _log,
    "A cache log, rows of query, cached and correct: right hits are paraphrases, wrong hits near "
    "misses, and what lacks some gets the nearest text.",
)
