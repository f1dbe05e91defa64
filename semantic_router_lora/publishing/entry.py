"""The catalogue entry of an adapter that was published, from its own files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.catalogue import METRICS, Entry
from semantic_router_lora.base_models import file_sha256
from semantic_router_lora.benchmark.results import BASELINE, Figures
from semantic_router_lora.card.facts import read_facts
from semantic_router_lora.card.fields import text
from semantic_router_lora.card.metadata import read_card
from semantic_router_lora.errors import AdapterFormatError
from semantic_router_lora.reference import HubId


def at_commit(entry: Entry, hub_id: HubId) -> Entry:
    """The entry, pinned to the commit that holds its files."""
    card = f"{_endpoint()}/{hub_id.repo}/blob/{hub_id.revision}/{layout.CARD}"
    return replace(entry, revision=hub_id.revision, sources=(card,))


def _endpoint() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT


def catalogue_entry(folder: Path, repo_id: str) -> Entry:
    """What to propose for the catalogue, still without the commit.

    ``verified`` is for the catalogue's maintainers to set.

    Raises:
        AdapterFormatError: if the files do not tell figures, domains or licence.
        DataError, ModelReferenceError: if a file cannot be read.
    """
    facts = read_facts(folder)
    metadata, _ = read_card((folder / layout.CARD).read_text(encoding="utf-8"))
    license_id = text(metadata, "license")
    if facts.results is None or license_id is None or not facts.domains:
        raise AdapterFormatError(f"{folder} does not tell its figures, its domains or its licence")
    label = facts.results.label
    suites = {suite.domain: suite for suite in facts.results.suites}
    figures = {
        domain: {metric: _pair(suites[domain].figures, label, metric) for metric in METRICS}
        for domain in facts.domains
        if domain in suites
    }
    measured_on = ", ".join(suites[domain].source for domain in figures)
    revision = f"@{facts.base.revision}" if facts.base.revision else ""
    return Entry(
        name=repo_id.partition("/")[2],
        base=facts.base.name + revision,
        domains=tuple(facts.domains),
        license=license_id,
        verified=False,
        sources=(f"{_endpoint()}/{repo_id}",),
        hub=repo_id,
        sha256=file_sha256(folder / layout.WEIGHTS),
        measured_on=measured_on or None,
        figures=figures or None,
    )


def _pair(figures: Mapping[str, Figures], label: str, metric: str) -> tuple[float, float]:
    return figures[BASELINE][metric].value, figures[label][metric].value


def entry_problems(entry: Entry, folder: Path) -> list[str]:
    """What an entry says otherwise than the adapter's own files; empty if nothing.

    Raises:
        AdapterFormatError, DataError: if the files do not tell.
    """
    files = catalogue_entry(folder, entry.hub or entry.name)
    pairs: list[tuple[str, object, object]] = [
        ("base", entry.base, files.base),
        ("domains", sorted(entry.domains), sorted(files.domains)),
        ("license", entry.license, files.license),
        ("sha256", entry.sha256 or files.sha256, files.sha256),
    ]
    for domain, metrics in (entry.figures or {}).items():
        for metric, values in metrics.items():
            found = (files.figures or {}).get(domain, {}).get(metric, ())
            said, measured = ([round(value, 4) for value in side] for side in (values, found))
            pairs.append((f"figures.{domain} {metric}", said, measured))
    return [
        f"{what}: the entry says {said}, the files say {found}"
        for what, said, found in pairs
        if said != found
    ]
