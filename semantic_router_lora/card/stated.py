"""What only a person knows of an adapter; it is kept in the metadata of the card."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from semantic_router_lora.card.fields import mapping, text, texts
from semantic_router_lora.card.licenses import OTHER, is_language, is_license
from semantic_router_lora.errors import InputError
from semantic_router_lora.reference import parse_hub_id

# The key of the metadata for what the Hub has no key for.
OWN_KEY = "semantic_router_lora"
_LINK = re.compile(r"https?://[^\s()<>\"']+\Z|[\w.-]+\Z")
_LONGEST = 500


@dataclass(frozen=True)
class Stated:
    """What a person says of an adapter. None and empty stand for what is not said.

    Attributes:
        license: identifier of the Hub, such as ``apache-2.0``.
        license_name: of a licence that the Hub does not list, with ``license="other"``.
        license_link: to its text: an address, or a file of the folder.
        language: ISO 639 codes.
        author: whom to cite.
        sources: of the training rows, as their field ``source`` names them: licence and origin.
        datasets: Hub ids of data sets that were trained on.
        repo_id: where the adapter is, or is to be, on the Hub: ``owner/name``.
        notes: paragraphs and lists for the card, as Markdown.
    """

    license: str | None = None
    license_name: str | None = None
    license_link: str | None = None
    language: tuple[str, ...] = ()
    author: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    datasets: tuple[str, ...] = ()
    repo_id: str | None = None
    notes: str | None = None

    def over(self, earlier: Stated) -> Stated:
        """This, and what an earlier card says where this says nothing."""
        chosen = {f.name: getattr(self, f.name) or getattr(earlier, f.name) for f in fields(self)}
        chosen["sources"] = {**earlier.sources, **self.sources}
        if self.license and self.license != earlier.license:  # name and link are of another one
            chosen |= {"license_name": self.license_name, "license_link": self.license_link}
        return Stated(**chosen)


def stated_in(metadata: Mapping[str, Any], notes: str | None) -> Stated:
    """What the metadata and the notes of a card say; values of a wrong type are passed over."""
    own = mapping(metadata, OWN_KEY)
    sources = mapping(own, "sources")
    return Stated(
        license=text(metadata, "license"),
        license_name=text(metadata, "license_name"),
        license_link=text(metadata, "license_link"),
        language=tuple(texts(metadata, "language")),
        author=text(own, "author"),
        sources={name: value for name in sources if (value := text(sources, name))},
        datasets=tuple(texts(metadata, "datasets")),
        repo_id=text(own, "repo_id"),
        notes=notes or None,
    )


def check_stated(stated: Stated) -> None:
    """Refuse what the Hub would not take.

    Raises:
        InputError: with the option to set, for the first thing that is missing or wrong.
    """
    if problems := stated_problems(stated):
        raise InputError(problems[0])


def stated_problems(stated: Stated) -> list[str]:
    """What the Hub would not take, one sentence each."""
    problems = []
    if stated.license is None:
        problems.append(
            "no licence is stated, and only you can: --license IDENTIFIER, such as apache-2.0"
        )
    elif not is_license(stated.license):
        problems.append(
            f"licence {stated.license!r} is no identifier of the Hub "
            f"(https://huggingface.co/docs/hub/repositories-licenses); for another one: "
            f"--license other --license-name NAME --license-link LINK"
        )
    elif stated.license == OTHER and not (stated.license_name and stated.license_link):
        problems.append("licence 'other' needs --license-name and --license-link")
    if stated.license_link and not _LINK.match(stated.license_link):
        problems.append(
            f"licence link {stated.license_link!r} is neither an address nor the name of a file"
        )
    problems += [
        f"language {language!r} is no ISO 639 code, such as en"
        for language in stated.language
        if not is_language(language)
    ]
    for option, ids in (("--dataset", stated.datasets), ("--repo-id", [stated.repo_id])):
        problems += [
            f"{option} {name!r} is no id of the Hub (owner/name)"
            for name in ids
            if name is not None and not is_hub_id(name)
        ]
    said = [stated.author, stated.license_name, *stated.sources, *stated.sources.values()]
    problems += [
        f"{item[:60]!r}... is longer than {_LONGEST} characters"
        for item in said
        if item and len(item) > _LONGEST
    ]
    if stated.notes and (line := _structure_in(stated.notes)):
        problems.append(
            f"notes are paragraphs and lists, without headings, tables and HTML: {line[:60]!r}"
        )
    return problems


def is_hub_id(name: str) -> bool:
    """Whether this is ``owner/name``, as the Hub allows it."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    hub_id = parse_hub_id(name)
    if hub_id is None or hub_id.revision is not None:
        return False
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True


# Notes are not checked against anything, so they must not look like what is.
_STRUCTURE = re.compile(r"\s*(?:[#|<]|```|~~~|[-=:|]{3,}\s*\Z)|.*(?:<[A-Za-z/!]|\|.*\|)")


def _structure_in(notes: str) -> str | None:
    return next((line for line in notes.splitlines() if _STRUCTURE.match(line)), None)
