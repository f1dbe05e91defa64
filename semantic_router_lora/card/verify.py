"""Holding a card against the files of its folder."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import Any

from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.resolve import resolve_adapter
from semantic_router_lora.base_models import file_sha256
from semantic_router_lora.benchmark.suite import DOMAINS, GENERAL, bundled_file
from semantic_router_lora.card.complete import incomplete
from semantic_router_lora.card.examples import examples_in
from semantic_router_lora.card.facts import check_regular, read_facts
from semantic_router_lora.card.fields import mapping, text
from semantic_router_lora.card.markdown import sections
from semantic_router_lora.card.metadata import metadata_of, read_card
from semantic_router_lora.card.render import CardContent, body, notes_in
from semantic_router_lora.card.running import base_settings_in, dev_in, observe
from semantic_router_lora.card.snippets import is_bundled, is_reference
from semantic_router_lora.card.stated import OWN_KEY, stated_in, stated_problems
from semantic_router_lora.data.triplets import read_triplets
from semantic_router_lora.errors import AdapterFormatError, SemanticRouterLoraError

_LIMITS = "Limits and known failures"
_AGAIN = "write it again with: semantic-router-lora adapter card"
_LONGEST = 120


def card_problems(folder: Path, *, remeasure: bool = False, base: str | None = None) -> list[str]:
    """What is missing, invalid or untrue in the README.md of an adapter folder.

    The card is written anew in memory from the folder's files and from what a person stated in
    it, and compared: nothing in it may differ but the notes.

    Args:
        folder: with adapter and card.
        remeasure: also run the adapter on dev triplets, and compare the examples of failures, if
            they are of the bundled ones.
        base: where the base model lies, if not where the configuration says.

    Returns:
        One sentence for each problem; none if the card is complete and true.

    Raises:
        AdapterFormatError: if the adapter's own files are missing or corrupt.
    """
    try:
        return _problems(folder, remeasure=remeasure, base=base)
    except AdapterFormatError:
        raise
    except SemanticRouterLoraError as error:
        return [str(error)]


def _problems(folder: Path, *, remeasure: bool, base: str | None) -> list[str]:
    card = folder / layout.CARD
    check_regular(folder.name, card)
    facts = read_facts(folder)
    if not card.is_file():
        return [f"there is no {layout.CARD}; {_AGAIN}"]
    try:
        metadata, written = read_card(card.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        return [f"{layout.CARD} cannot be read: {error}"]
    except SemanticRouterLoraError as error:
        return [f"{layout.CARD}: {error}"]
    stated = stated_in(metadata, notes_in(written))
    reference = text(mapping(metadata, OWN_KEY), "reference")
    settings = base_settings_in(metadata)
    if reference is None or settings is None or not is_reference(reference):
        return [
            *stated_problems(stated),
            f"{layout.CARD} was not written by this package (its metadata has no valid "
            f"{OWN_KEY}); {_AGAIN}",
        ]
    examples = examples_in(dict(sections(written)).get(_LIMITS, ""))
    content = CardContent(facts, stated, reference, settings, dev_in(metadata), examples)
    problems = stated_problems(stated) + incomplete(content)
    problems += _metadata_problems(metadata, metadata_of(content, metadata))
    problems += _text_problems(written, body(content))
    problems += _bundled_problems(content)
    problems += _example_problems(content)
    if remeasure:
        problems += _remeasured(folder, content, base)
    return problems


def _metadata_problems(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    problems = []
    for key in sorted(found.keys() | expected.keys()):
        here, there = found.get(key), expected.get(key)
        if here != there:
            shown = "differs from" if key in ("model-index", OWN_KEY) else f"is {here!r}, but by"
            wanted = "" if shown == "differs from" else f" it is {there!r}"
            problems.append(f"metadata: {key} {shown} the folder's files{wanted}"[:400])
    return problems


def _text_problems(found: str, expected: str) -> list[str]:
    """Missing sections, sections that differ with their first line that does, and added ones."""
    here, there = sections(found), sections(expected)
    headings = [heading for heading, _ in here]
    problems = []
    for heading, wanted in there:
        shown = f"section {heading!r}" if heading else "the introduction"
        if heading not in headings:
            problems.append(f"{shown} is missing; {_AGAIN}")
            continue
        lines = next(content for name, content in here if name == heading).splitlines()
        for line, right in zip_longest(lines, wanted.splitlines(), fillvalue=""):
            if line.rstrip() != right.rstrip():
                problems.append(
                    f"{shown}: {_difference(line, right)} by the folder's files; {_AGAIN}"
                )
                break
    known = {heading for heading, _ in there}
    problems += [
        f"section {heading[:_LONGEST]!r} is not one of a card; {_AGAIN}"
        for place, heading in enumerate(headings)
        if heading not in known or heading in headings[:place]
    ]
    return problems


def _difference(line: str, right: str) -> str:
    """Both lines from where they begin to differ."""
    start = next((i for i, (a, b) in enumerate(zip(line, right, strict=False)) if a != b), 0)
    start = max(0, start - _LONGEST // 3)
    here, there = line[start : start + _LONGEST], right[start : start + _LONGEST]
    return f"{here!r} should be {there!r}"


def _bundled_problems(content: CardContent) -> list[str]:
    """A card that names a bundled adapter must lie beside its weights."""
    if not is_bundled(content.reference):
        return []
    bundled = resolve_adapter(content.reference).folder / layout.WEIGHTS
    if file_sha256(bundled) == content.facts.weights.sha256:
        return []
    return [f"the code uses the bundled {content.reference}, which has other weights; {_AGAIN}"]


def _example_problems(content: CardContent) -> list[str]:
    """Examples must be rows of the dev files that the card names, as far as those are bundled."""
    files = _dev_files(content)
    if files is None:
        return []
    rows = {
        tuple(" ".join(part.split()) for part in triplet.texts)
        for file in files
        for triplet in read_triplets(file)
    }
    return [
        f"example {example.anchor[:_LONGEST]!r} is no row of {', '.join(content.dev)}"
        for example in content.examples
        if example.texts not in rows
    ]


def _dev_files(content: CardContent) -> list[Path] | None:
    """The bundled files that examples were looked for in; None if others are among them."""
    bundled = {
        (file.name, file_sha256(file)): file
        for file in (bundled_file(domain, "dev") for domain in (*DOMAINS, GENERAL))
    }
    named = list(content.dev.items())
    return [bundled[item] for item in named] if named and bundled.keys() >= set(named) else None


def _remeasured(folder: Path, content: CardContent, base: str | None) -> list[str]:
    files = _dev_files(content)
    if files is None:  # those of a file that only its author has cannot be looked at again
        return []
    seen = observe(folder, content.facts, base=base, dev=[str(file) for file in files])
    problems = []
    if seen.settings != content.settings:
        problems.append(f"the base pools as {seen.settings}, not as {content.settings}")
    if seen.examples != content.examples:
        problems.append(f"the examples of failures are not those of this adapter; {_AGAIN}")
    return problems
