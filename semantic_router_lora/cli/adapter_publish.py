"""``semantic-router-lora adapter publish``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from semantic_router_lora.checking import Report
    from semantic_router_lora.publishing.folder import Upload


def adapter_publish(
    folder: Annotated[Path, typer.Argument(help="Folder of the adapter, with its card.")],
    repo_id: Annotated[str, typer.Argument(help="Repository on the Hub: owner/name.")],
    private: Annotated[bool, typer.Option("--private", help="Make it private.")] = False,
    revision: Annotated[
        str | None, typer.Option(help="Branch to write to; made if it does not exist.")
    ] = None,
    message: Annotated[str | None, typer.Option(help="Of the commit.")] = None,
    rerun: Annotated[
        bool, typer.Option(help="Repeat the benchmark to compare the card's figures with.")
    ] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, and show what would go up, without network.")
    ] = False,
) -> None:
    """Check an adapter and put it on the Hugging Face Hub.

    The token is the one of HF_TOKEN, or of "hf auth login"; it is printed nowhere.
    """
    import contextlib

    from semantic_router_lora.adapters.catalogue_views import to_toml
    from semantic_router_lora.hub import local_only
    from semantic_router_lora.publishing.checked import checked_repository, checked_upload
    from semantic_router_lora.publishing.entry import at_commit
    from semantic_router_lora.publishing.publish import publish, usable_token

    checked_repository(repo_id)
    if not dry_run:
        usable_token()  # said now, rather than after the check
    with local_only() if dry_run else contextlib.nullcontext():
        upload, entry = checked_upload(folder, repo_id, rerun=rerun, show=_show)
    _list_files(upload, repo_id)
    if dry_run:
        typer.echo("Dry run: nothing was uploaded.")
        return
    done = publish(upload, repo_id, private=private, revision=revision, message=message)
    typer.echo(f"Published: {done.hub_id}\n{done.url}")
    if done.others:
        typer.echo(f"The repository also holds {', '.join(done.others)}: left as they are.")
    typer.echo("\nFor the catalogue (see CONTRIBUTING.md):\n")
    typer.echo(to_toml(at_commit(entry, done.hub_id)))


def _show(report: Report) -> None:
    typer.echo(report.to_text())


def _list_files(upload: Upload, repo_id: str) -> None:
    import hashlib

    typer.echo(f"To {repo_id}:")
    for name, data in upload.content.items():
        typer.echo(f"  {hashlib.sha256(data).hexdigest()}  {len(data):>11,}  {name}")
    if upload.left_out:
        typer.echo(f"Not published: {', '.join(upload.left_out)}")
