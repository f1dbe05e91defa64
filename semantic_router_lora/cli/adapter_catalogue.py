"""``semantic-router-lora adapter list``, ``info`` and ``pull``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from semantic_router_lora.adapters.catalogue import Entry


def adapter_list(
    as_json: Annotated[bool, typer.Option("--json", help="All fields, as JSON.")] = False,
    names: Annotated[bool, typer.Option("--names", help="The names alone, one a line.")] = False,
    since: Annotated[
        Path | None,
        typer.Option(help="Only what an older catalogue.toml has not, or has otherwise."),
    ] = None,
) -> None:
    """List the adapters of the catalogue."""
    from dataclasses import asdict

    from semantic_router_lora.adapters import catalogue
    from semantic_router_lora.adapters.catalogue_views import NOTE, changed, place, table

    entries = list(catalogue.entries())
    if since is not None:
        entries = changed(entries, catalogue.read(since))
    if as_json:
        import json

        content = [asdict(entry) | {"here": place(entry)} for entry in entries]
        typer.echo(json.dumps(content, indent=1, ensure_ascii=False))
    elif names:
        for entry in entries:
            typer.echo(entry.name)
    else:
        from semantic_router_lora.cli.output import print_table

        print_table(table(entries, with_local=True))
        typer.echo(NOTE)


def adapter_info(
    name: Annotated[str, typer.Argument(help="A name in the catalogue, a folder or a Hub id.")],
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Fail unless its files say what its entry says."),
    ] = False,
) -> None:
    """Show what is known of an adapter, where its files are and how to use it."""
    from semantic_router_lora.adapters.catalogue_views import fields, find_entry
    from semantic_router_lora.adapters.local import local_state
    from semantic_router_lora.errors import ModelReferenceError

    entry = find_entry(name)
    state = local_state(name)
    if entry is None and state.folder is None:
        raise ModelReferenceError(state.reason)
    lines = fields(entry) if entry else [("name", name), ("catalogue", "not in it")]
    if state.folder is None:
        lines.append(("files", f"not here; semantic-router-lora adapter pull {name}"))
    else:
        lines.append(("files", str(state.folder)))
        lines.append(("fingerprint", state.fingerprint or f"unknown: {state.reason}"))
    width = max(len(head) for head, _ in lines)
    for head, text in lines:
        typer.echo(f"{head:<{width}}  {text}")
    typer.echo("\nfrom semantic_router_lora import Embedder, LoRAHuggingFaceEncoder")
    typer.echo(f"Embedder(adapter={name!r})")
    typer.echo(f"LoRAHuggingFaceEncoder(adapter={name!r})  # in semantic-router")
    if verify:
        _verify(entry, state.folder)


def _verify(entry: Entry | None, folder: Path | None) -> None:
    from semantic_router_lora.errors import InputError
    from semantic_router_lora.publishing.entry import entry_problems

    if entry is None or folder is None:
        raise InputError("--verify needs an entry in the catalogue, and its files on this machine")
    problems = entry_problems(entry, folder)
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)


def adapter_pull(
    name: Annotated[str, typer.Argument(help="A name in the catalogue, or a Hub id.")],
    output: Annotated[
        Path | None,
        typer.Option(help="Folder to copy the files to, in place of the Hugging Face cache."),
    ] = None,
) -> None:
    """Fetch an adapter, verify its SHA-256 if the catalogue has it, and print its folder."""
    from semantic_router_lora.adapters.pull import pull_adapter

    typer.echo(pull_adapter(name, output))
