"""tldr-pages: what each example of a command does.

The descriptions are people's, but each says its task once, so a second wording is mostly made by
rule; where two pages describe the very same command line, the second wording is a person's. The
negative is the closest other example of the same command, or the same task with another command.
A unit is an example.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from prepare.archives import Originals, decoded
from prepare.meaning import Meaning, difference, disagreement, meaning
from prepare.nearest import Nearest
from prepare.rewrite import fill, lines_of, wordings
from prepare.rows import Rows
from prepare.texts import clean, digest, pick
from prepare.verbs import VERBS
from semantic_router_lora.data.words import jaccard
from semantic_router_lora.errors import DataError

FILES = r"(^|/)pages/[a-z-]+/[^/]+\.md$"
ROWS_PER_COMMAND = 1
_EXAMPLE = re.compile(r"^- (.+?):?\n\n`(.+)`$", re.MULTILINE)
_LETTER = re.compile(r"\[(\w+)\]")
_TRIVIAL = re.compile(
    r"^(display|show|print|view|get|output) (the )?(help|version|documentation|man page|usage)"
    r"|original command|^(exit|quit)\b|https?:|<|→",
    re.IGNORECASE,
)
_SAME_TASK = 0.8


@dataclass(frozen=True)
class _Example:
    command: str
    phrase: str
    code: str
    meant: Meaning


def make(originals: Originals, rows: Rows) -> None:
    """Read the pages and make the rows of each command."""
    frames = lines_of("frames_command.txt")
    pages = _read(originals, rows)
    everywhere = [example for command in sorted(pages) for example in pages[command]]
    nearest = Nearest([example.meant.content for example in everywhere])
    twins: dict[str, list[_Example]] = defaultdict(list)
    for example in everywhere:
        twins[example.code].append(example)
    for command in sorted(pages):
        made = 0
        for example in sorted(pages[command], key=lambda e: (digest(command, e.phrase), e.phrase)):
            same_line = [twin for twin in twins[example.code] if twin.phrase != example.phrase]
            # a second wording by a person does not count against the limit
            if made >= ROWS_PER_COMMAND and not same_line:
                rows.drop("enough rows of this command")
                continue
            others = _others(example, pages[command], everywhere, nearest)
            made += _add_row(example, same_line, others, frames, rows)


def _read(originals: Originals, rows: Rows) -> dict[str, list[_Example]]:
    pages: dict[str, dict[str, _Example]] = defaultdict(dict)
    for name, content in originals.files.items():
        text = decoded(content, f"{originals.where}: {name}")
        if not text.startswith("# "):
            raise DataError(f"{originals.where}: {name}: expected a page opening with '# command'")
        command = clean(text[2:].split("\n", 1)[0])
        for description, code in _EXAMPLE.findall(text):
            rows.read += 1
            phrase = _phrase(description)
            if _TRIVIAL.search(description):
                rows.drop("help, version or link")
            elif phrase.split(" ", 1)[0] not in VERBS:
                rows.drop("does not open with a known verb")
            elif len(meaning(phrase).specific) < 2:
                rows.drop("says too little")
            elif not command[0].isalnum():
                rows.drop("command is no word")
            elif command.lower() in phrase.lower() or re.search(r"\w/\w+/\w", phrase):
                rows.drop("names its command, or several things at once")
            elif phrase in pages[command]:
                rows.drop("same description twice")
            else:
                pages[command][phrase] = _Example(command, phrase, code, meaning(phrase))
    return {command: list(examples.values()) for command, examples in pages.items()}


def _phrase(description: str) -> str:
    """``E[x]tract an archive (verbosely):`` as ``extract an archive``."""
    text = _LETTER.sub(r"\1", clean(description)).replace("`", "")
    text = re.sub(r"\s*\([^()]*\)", "", text).rstrip(" :.")
    return text[:1].lower() + text[1:]


def _others(
    example: _Example, page: list[_Example], everywhere: list[_Example], nearest: Nearest
) -> list[tuple[str, _Example]]:
    """(trap, example) that may stand as the negative, best first."""
    pair = (example.meant, example.meant)
    aspects = []
    for other in page:
        trap = difference(pair, other.meant)
        new = other.meant.specific - example.meant.content
        if other.code != example.code and (new or trap in ("number", "negation", "entity")):
            overlap = jaccard(example.meant.content, other.meant.content)
            aspects.append((-overlap, other.phrase, trap or "aspect", other))
    found = [(trap, other) for overlap, _, trap, other in sorted(aspects, key=lambda a: a[:2])]
    first_entity = digest(example.command, example.phrase) % 3 == 0
    if aspects and not first_entity:
        return found[:1]
    entities = [
        ("entity", everywhere[number])
        for _, number in nearest.search(example.meant.content, _SAME_TASK)
        if everywhere[number].command != example.command
        and everywhere[number].meant.actions == example.meant.actions
        and not _related(everywhere[number].command, example.command)
    ]
    return entities[:1] + found[:1]


def _related(command: str, other: str) -> bool:
    """``git`` and ``git commit``, or variants such as ``pip`` and ``pip3``."""
    return command.startswith(other[:3]) or other.startswith(command[:3])


def _add_row(
    example: _Example,
    same_line: list[_Example],
    others: list[tuple[str, _Example]],
    frames: list[str],
    rows: Rows,
) -> bool:
    if not others:
        rows.drop("no other example that differs")
        return False
    trap, other = others[0]
    key = (example.command, example.phrase)
    frame = pick(frames, *key)
    anchor = fill(frame, example.phrase, example.command)
    people = [
        fill(pick(frames, "twin", *key), twin.phrase, example.command)
        for twin in sorted(same_line, key=lambda twin: twin.phrase)
        if disagreement(example.meant, twin.meant) is None
        and jaccard(example.meant.content, twin.meant.content) >= 0.25
    ]
    rewrites = wordings(anchor, example.phrase, frames, example.command)
    positives = [text for text in people + rewrites if rows.pair_fault(anchor, text) is None]
    if not positives:
        rows.drop(rows.fault(anchor) or "no wording that differs enough")
        return False
    other_frame = frame if digest("frame", *key) % 2 else pick(frames, "other", *key)
    negative = fill(other_frame, other.phrase, other.command)
    return rows.add(
        anchor,
        positives[0],
        negative,
        domain="programming",
        group=f"tldr:{example.command}",
        trap=trap,
    )
