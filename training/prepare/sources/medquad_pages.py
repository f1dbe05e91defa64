"""Pages of MedQuAD, gathered by what they are about."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from xml.etree import ElementTree

from prepare.archives import Originals
from prepare.groups import Groups
from prepare.rows import Rows
from prepare.sources.medquad_names import Casing, drug_names, marks, split_brackets, usable
from prepare.texts import clean
from semantic_router_lora.data.words import words
from semantic_router_lora.errors import DataError

# Pages of this collection list narrower topics as synonyms.
_LOOSE_SYNONYMS = "4_MPlus_Health_Topics_QA"
_MENTAL = "T048"  # UMLS: mental or behavioural dysfunction
_BODILY = re.compile(r"syndrome|disability|retardation|delay|dementia|speech|malformation", re.I)


@dataclass
class Thing:
    """A disease, drug or supplement.

    Attributes:
        name: the focus of its pages, in natural case.
        names: the name and its usable synonyms.
        types: question types that its pages answer.
        group: one for all things that share a name.
        identifiers: UMLS concepts and every synonym, usable or not.
        kind: ``drug`` or ``disease``.
        domain: medical or psychology.
    """

    name: str
    names: list[str]
    types: set[str]
    group: str
    identifiers: frozenset[str]
    kind: str
    domain: str


@dataclass
class _Page:
    focus: str
    kind: str
    types: list[str]
    synonyms: list[str] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    concepts: set[str] = field(default_factory=set)
    mental: bool = False


def read_things(originals: Originals, rows: Rows, known: frozenset[str]) -> list[Thing]:
    """Count every question and gather the pages by focus, in order of name."""
    pages: dict[str, list[_Page]] = defaultdict(list)
    for name, content in originals.files.items():
        page = _read(f"{originals.where}: {name}", name, content)
        rows.read += len(page.types)
        if not page.types:
            continue
        unknown = sum(kind not in known for kind in page.types)
        rows.drop("question type that is too vague to reword", unknown)
        page.types = [kind for kind in page.types if kind in known]
        if usable(page.focus):
            pages[page.focus.lower()].append(page)
        else:
            rows.drop("focus is no plain name", len(page.types))
    return _things(pages, rows)


def _read(where: str, name: str, content: bytes) -> _Page:
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise DataError(f"{where}: declares entities; the originals do not")
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DataError(f"{where}: not valid XML: {error}") from error
    # five pages of the snapshot were left in older formats, which name no Focus: their questions
    # are counted and dropped
    questions = [item for item in root.iter() if item.tag.lower() == "question"]
    if root.tag != "Document" and not questions:
        raise DataError(f"{where}: expected a Document, found {root.tag}")
    focus, acronym = split_brackets(clean(root.findtext("Focus") or ""))
    listed = [clean(item.text or "") for item in root.iter("Synonym")]
    if acronym and acronym.isupper():
        listed.append(acronym)
    drug = "Drugs" in name or "Herbs" in name
    page = _Page(
        focus=focus,
        kind="drug" if drug else "disease",
        types=[(item.get("qtype") or "").strip() for item in questions],
        concepts={clean(item.text or "") for item in root.iter("CUI")} - {""},
        mental=any(item.text == _MENTAL for item in root.iter("SemanticType")),
    )
    (page.loose if _LOOSE_SYNONYMS in name else page.synonyms).extend(filter(None, listed))
    return page


def _things(pages: dict[str, list[_Page]], rows: Rows) -> list[Thing]:
    casing = Casing(
        name
        for those in pages.values()
        for page in those
        for name in (page.focus, *page.synonyms, *page.loose)
    )
    owners: dict[str, set[str]] = defaultdict(set)
    for focus, those in pages.items():
        for page in those:
            for synonym in (*page.synonyms, *page.loose):
                owners[synonym.lower()].add(focus)
    groups = Groups()
    things = []
    for focus in sorted(pages):
        those = pages[focus]
        synonyms = _clear_synonyms(focus, those, pages, owners)
        groups.join(focus, *(synonym.lower() for synonym in synonyms))
        kinds = [kind for page in those for kind in page.types]
        rows.drop("same question on another page", len(kinds) - len(set(kinds)))
        if not kinds:
            continue
        first = those[0]
        if first.kind == "drug":
            names = [casing.natural(name) for name in drug_names(first.focus)]
        else:
            names = [casing.natural(name) for name in (first.focus, *synonyms)]
        mental = any(page.mental for page in those) and not _BODILY.search(focus)
        things.append(
            Thing(
                name=names[0],
                names=names,
                types=set(kinds),
                group=focus,
                identifiers=frozenset(
                    item.lower()
                    for page in those
                    for item in (*page.concepts, *page.synonyms, *page.loose, page.focus)
                ),
                kind=first.kind,
                domain="psychology" if mental else "medical",
            )
        )
    for thing in things:
        thing.group = groups.name(thing.group)
    return things


def _clear_synonyms(
    focus: str,
    those: list[_Page],
    pages: dict[str, list[_Page]],
    owners: dict[str, set[str]],
) -> list[str]:
    """Synonyms that mean this thing and no other, neither wider nor narrower by their words."""
    own = frozenset(words(focus))
    found: dict[str, str] = {}
    for page in those:
        for synonym in page.synonyms:
            theirs = frozenset(words(synonym))
            if (
                usable(synonym)
                and synonym.lower() not in pages
                and len(owners[synonym.lower()]) == 1
                and not (own <= theirs or theirs <= own)
                and marks(synonym) == marks(focus)
            ):
                found.setdefault(synonym.lower(), synonym)
    return [found[key] for key in sorted(found)]
