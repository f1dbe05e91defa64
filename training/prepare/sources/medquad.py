"""MedQuAD: question types and synonyms of diseases, drugs and supplements.

The structure is real: what is asked about, its synonyms, which questions its page answers. The
questions are one fixed sentence a type in the original, so the wording here is made, too: about ten
ways to ask each type. Rows whose positive uses another name of the thing carry knowledge;
the others only teach frames, so there are fewer of them. The negative is another type for the same
thing (aspect) or the same type for the nearest other thing (entity). A unit is a question.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from prepare.archives import Originals
from prepare.nearest import Nearest
from prepare.rows import Rows
from prepare.sources.medquad_pages import Thing, read_things
from prepare.texts import digest, pick, shuffled
from semantic_router_lora.data.words import content_words, jaccard, words
from semantic_router_lora.errors import DataError

FILES = r"(^|/)[^/]+_QA(_XML)?/[^/]+\.xml$"
WORDINGS = Path(__file__).with_name("medquad_wordings.txt")
ROWS_WITH_NAMES, ROWS_WITHOUT = 2, 1
# There are few of them, and they are asked about in every way.
ROWS_OF_PSYCHOLOGY = 6
_CLOSE = 0.25


@dataclass
class _Type:
    families: frozenset[str]
    wordings: list[str] = field(default_factory=list)


def read_wordings(path: Path) -> dict[str, _Type]:
    """The ways to ask each type.

    Raises:
        DataError: if a line is neither a section, a comment nor a wording with ``{x}``.
    """
    types: dict[str, _Type] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("= "):
            name, _, families = line[2:].partition(" / ")
            current = types[name] = _Type(frozenset(families.split()))
        elif line and not line.startswith("#"):
            if not types or line.count("{x}") != 1:
                raise DataError(f"{path}:{number}: expected a section or a wording with {{x}}")
            current.wordings.append(line)
    return types


def make(originals: Originals, rows: Rows) -> None:
    """Read every page and make the rows of each thing."""
    types = read_wordings(WORDINGS)
    things = read_things(originals, rows, frozenset(types))
    nearest = Nearest([frozenset(words(thing.name)) for thing in things])
    for thing in things:
        limit = ROWS_WITH_NAMES if len(thing.names) > 1 else ROWS_WITHOUT
        if thing.domain == "psychology":
            limit = ROWS_OF_PSYCHOLOGY
        made = 0
        for asked in shuffled(sorted(thing.types), thing.name):
            if made == limit:
                rows.drop("enough rows of this thing")
            elif thing.types == {"information"}:
                rows.drop("nothing but an overview is asked")
            else:
                made += _add_row(thing, asked, types, (things, nearest), rows)


def _add_row(
    thing: Thing,
    asked: str,
    types: dict[str, _Type],
    others: tuple[list[Thing], Nearest],
    rows: Rows,
) -> bool:
    key = (thing.name, asked)
    first, second = shuffled(types[asked].wordings, *key)[:2]
    name = pick(thing.names[:1] if len(thing.names) > 1 else thing.names, *key)
    other_name = pick(thing.names[1:] or thing.names, *key)
    if digest("swap", *key) % 2:
        name, other_name = other_name, name
    anchor, positive = _fill(first, name), _fill(second, other_name)
    aspects = _aspects(thing, asked, types)
    entity = _nearest_thing(thing, asked, *others)
    if entity is not None and (not aspects or digest("trap", *key) % 2):
        # often the very same words, so that only the name tells them apart
        wording = first if digest("same", *key) % 3 else pick(types[asked].wordings, "n", *key)
        trap, negative = "entity", _fill(wording, entity.name)
    elif aspects:
        options = [
            _fill(wording, name)
            for kind in sorted(aspects, key=lambda kind: digest(kind, *key))[:3]
            for wording in types[kind].wordings
        ]
        trap, negative = "aspect", _closest(anchor, options, key)
    else:
        rows.drop("nothing near to ask instead")
        return False
    return rows.add(
        anchor,
        positive,
        negative,
        domain=thing.domain,
        group=f"medquad:{thing.group}",
        trap=trap,
    )


def _fill(wording: str, name: str) -> str:
    text = wording.replace("{x}", name)
    # an opening in lower case belongs to those who type everything so
    if wording[0].islower() and digest(text) % 2:
        text = text.lower()
    return text[0].upper() + text[1:] if wording.startswith("{x}") and name[0].isupper() else text


def _aspects(thing: Thing, asked: str, types: dict[str, _Type]) -> list[str]:
    """Other types of the page whose answers would not do."""
    if asked == "information":  # an overview may answer anything
        return []
    return sorted(
        kind
        for kind in thing.types
        if kind not in {asked, "information"} and not types[kind].families & types[asked].families
    )


def _nearest_thing(thing: Thing, asked: str, things: list[Thing], nearest: Nearest) -> Thing | None:
    own = frozenset(words(thing.name))
    for _, number in nearest.search(own, _CLOSE):
        other = things[number]
        theirs = frozenset(words(other.name))
        if (
            other.group != thing.group
            and asked in other.types
            and other.kind == thing.kind
            and not other.identifiers & thing.identifiers
            # a disease and one of its forms: the answer may do
            and not (own <= theirs or theirs <= own)
        ):
            return other
    return None


def _closest(anchor: str, options: list[str], key: tuple[str, str]) -> str:
    """One of the three options that share most with the anchor."""
    content = content_words(anchor)
    own = frozenset(words(anchor))
    ranked = sorted(
        options,
        key=lambda text: (
            -jaccard(content, content_words(text)),
            -jaccard(own, frozenset(words(text))),
            digest(text),
        ),
    )
    return pick(ranked[:3], "closest", *key)
