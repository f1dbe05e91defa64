"""``semantic-router-lora adapter card``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

# Optional[...] because typer evaluates annotations on Python 3.10 too.
_Text = Optional[str]  # noqa: UP045
_Texts = Optional[list[str]]  # noqa: UP045
_File = Optional[Path]  # noqa: UP045


def card(
    folder: Annotated[Path, typer.Argument(help="Folder of the adapter.")],
    license: Annotated[
        _Text, typer.Option(help="Identifier of the Hub, such as apache-2.0. Needed once.")
    ] = None,
    license_name: Annotated[_Text, typer.Option(help="With --license other.")] = None,
    license_link: Annotated[
        _Text, typer.Option(help="With --license other: address, or file in the folder.")
    ] = None,
    language: Annotated[
        _Texts, typer.Option(help="ISO 639 code, such as en; may be repeated.")
    ] = None,
    author: Annotated[_Text, typer.Option(help="Whom to cite.")] = None,
    source: Annotated[
        _Texts,
        typer.Option(
            help="NAME=LICENCE AND ORIGIN of the training rows whose source field is NAME; may be "
            "repeated."
        ),
    ] = None,
    dataset: Annotated[
        _Texts, typer.Option(help="Hub id of a data set that was trained on; may be repeated.")
    ] = None,
    repo_id: Annotated[
        _Text, typer.Option(help="owner/name on the Hub, for the code of the card.")
    ] = None,
    notes: Annotated[
        _File, typer.Option(help="Markdown file: paragraphs and lists to add to the card.")
    ] = None,
    results: Annotated[
        _File,
        typer.Option(
            help="A results.json of the benchmark, of which this adapter's figures are copied to "
            "evaluation_results.json first."
        ),
    ] = None,
    dev: Annotated[
        _Texts,
        typer.Option(
            help="Triplet file to show failures from; may be repeated. Default: the bundled dev "
            "triplets."
        ),
    ] = None,
    base: Annotated[
        _Text, typer.Option(help="Where the base lies, if not where the configuration says.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a README.md that was not written by this.")
    ] = False,
) -> None:
    """Write the adapter's README.md from its own files, with metadata for the Hub.

    What only you know (licence, language, author, sources) is asked once and kept in the card.
    """
    from semantic_router_lora.card import card_problems, write_card
    from semantic_router_lora.card.stated import Stated
    from semantic_router_lora.errors import InputError

    sources = {}
    for item in source or []:
        name, separator, said = item.partition("=")
        if not (name.strip() and separator and said.strip()):
            raise InputError(f"--source {item!r} is not of the form NAME=LICENCE")
        sources[name.strip()] = said.strip()
    try:
        text = notes.read_text(encoding="utf-8") if notes is not None else None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--notes {notes} cannot be read: {error}") from error
    stated = Stated(
        license=license,
        license_name=license_name,
        license_link=license_link,
        language=tuple(language or ()),
        author=author,
        sources=sources,
        datasets=tuple(dataset or ()),
        repo_id=repo_id,
        notes=text,
    )
    path = write_card(
        folder, stated, results=results, dev=dev or (), base=base, overwrite=overwrite
    )
    typer.echo(f"Written to {path}")
    for problem in card_problems(folder, base=base):
        typer.echo(f"Incomplete: {problem}")
