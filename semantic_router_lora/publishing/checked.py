"""What must hold before anything is uploaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.catalogue import Entry
from semantic_router_lora.adapters.resolve import bundled_adapters
from semantic_router_lora.card import card_problems
from semantic_router_lora.card.fields import mapping, text
from semantic_router_lora.card.metadata import read_card
from semantic_router_lora.card.stated import OWN_KEY, is_hub_id
from semantic_router_lora.checking import Report, check_adapter
from semantic_router_lora.errors import AdapterError, InputError
from semantic_router_lora.publishing.entry import catalogue_entry
from semantic_router_lora.publishing.folder import Upload, read_upload


def checked_upload(
    folder: Path,
    repo_id: str,
    *,
    rerun: bool = True,
    show: Callable[[Report], None] | None = None,
) -> tuple[Upload, Entry]:
    """Read the files to publish, once the adapter and its card pass `check_adapter`.

    Args:
        folder: of the adapter.
        repo_id: that the code in the card must name.
        rerun: repeat the benchmark to compare the card's figures with.
        show: what to do with the report before it is judged.

    Returns:
        The files, and what to propose for the catalogue, still without the commit.

    Raises:
        InputError: if there is no such folder.
        AdapterError: if a file is missing or a link, the card is not ready or names another
            repository, or the check fails.
        DataError, ModelReferenceError: if a file cannot be read.
    """
    upload = read_upload(folder)
    with upload.staged() as copy:
        _check_card(copy, folder, repo_id)
        report = replace(check_adapter(copy, rerun=rerun), folder=str(folder))
        if show is not None:
            show(report)
        if not report.ok:
            failed = ", ".join(check.name for check in report.checks if check.status == "fail")
            raise AdapterError(f"{folder} does not pass its check ({failed}): not published")
        return upload, catalogue_entry(copy, repo_id)


def _check_card(copy: Path, folder: Path, repo_id: str) -> None:
    """A card is complete, and its code names the adapter as users will."""
    again = f"Write it with: semantic-router-lora adapter card {folder} --repo-id {repo_id}"
    if problems := card_problems(copy):
        raise AdapterError(f"the card of {folder} is not ready: {'; '.join(problems)}. {again}")
    metadata, _ = read_card((copy / layout.CARD).read_text(encoding="utf-8"))
    named = text(mapping(metadata, OWN_KEY), "reference")
    if named != repo_id and named not in bundled_adapters():
        raise AdapterError(f"the code of the card names {named}, not {repo_id}. {again}")


def checked_repository(repo_id: str) -> str:
    """The id of a repository on the Hub.

    Raises:
        InputError: if the Hub would not take it.
    """
    if not is_hub_id(repo_id):
        raise InputError(f"repository {repo_id!r} is no id of the Hub (owner/name)")
    return repo_id
