"""NL2Bash: two people's descriptions of the same command.

All three texts are people's. Descriptions are paired only if they agree in numbers, names, action
and polarity, since annotators differ in what they leave out. The negative is a close description of
another command that differs in at least one of those. A unit is a line of the corpus.
"""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import combinations

from prepare.archives import Originals
from prepare.groups import Groups
from prepare.meaning import Meaning, difference, disagreement, meaning
from prepare.nearest import Nearest
from prepare.rows import Rows
from prepare.texts import clean, normal
from semantic_router_lora.data.words import jaccard
from semantic_router_lora.errors import DataError

FILES = r"(^|/)all\.(nl|cm)$"
ROWS_PER_COMMAND = 3
_CLOSE = 0.25
# Closer ones say the same of another spelling of the command; without a difference in numbers,
# names, action or polarity that happens earlier.
_TOO_CLOSE = 0.85
_TOO_CLOSE_IN_WORDS = 0.65


def make(originals: Originals, rows: Rows) -> None:
    """Read all.nl and all.cm, one description and one command a line."""
    texts = originals.lines(r"(^|/)all\.nl$")
    commands = originals.lines(r"(^|/)all\.cm$")
    if len(texts) != len(commands):
        raise DataError(
            f"{originals.where}: all.nl has {len(texts)} lines and all.cm {len(commands)}"
        )
    by_command: dict[str, list[str]] = defaultdict(list)
    for text, command in zip(texts, commands, strict=True):
        rows.read += 1
        text = clean(text)
        if reason := rows.fault(text):
            rows.drop(reason)
        else:
            by_command[_bare(command)].append(text)
    pool = _pooled(by_command, rows)
    meanings = {text: meaning(text) for texts in pool.values() for text in texts}
    pairs = {command: _pairs(pool[command], meanings, rows) for command in pool}
    _choose_negatives(pool, pairs, meanings, rows)


def _bare(command: str) -> str:
    """Spellings of a command that do the same are one."""
    command = re.sub(r"[\"'\\]", "", command)
    command = re.sub(r"(?<=\s)-print(?=\s|$)", " ", command)
    command = re.sub(r"(?<=\s)\./?(?=\s|$)", " ", command)
    return " ".join(command.split())


def _pooled(by_command: dict[str, list[str]], rows: Rows) -> dict[str, list[str]]:
    """Descriptions of each command; commands that share a description are one."""
    groups = Groups()
    for command, texts in by_command.items():
        for text in texts:
            groups.join(f"command {command}", f"text {normal(text)}")
    merged: dict[str, dict[str, str]] = defaultdict(dict)
    for command in sorted(by_command):
        name = groups.name(f"command {command}").removeprefix("command ")
        for text in sorted(by_command[command]):
            if normal(text) in merged[name]:
                rows.drop("same description twice")
            merged[name].setdefault(normal(text), text)
    return {name: sorted(texts.values()) for name, texts in merged.items()}


def _pairs(texts: list[str], meanings: dict[str, Meaning], rows: Rows) -> list[tuple[str, str]]:
    """The most differently worded pairs of one command that agree."""
    if len(texts) == 1:
        rows.drop("only description of its command")
        return []
    agreeing = [
        (jaccard(meanings[a].content, meanings[b].content), a, b)
        for a, b in combinations(texts, 2)
        if disagreement(meanings[a], meanings[b]) is None and rows.pair_fault(a, b) is None
    ]
    chosen: list[tuple[str, str]] = []
    for overlap, a, b in sorted(agreeing):
        # with nothing in common, one of the two is usually wrong
        if overlap >= 0.2 and not {a, b} & {text for pair in chosen for text in pair}:
            chosen.append((a, b))
    chosen = chosen[:ROWS_PER_COMMAND]
    rows.drop("no description agrees or is free", len(texts) - len(chosen) * 2)
    rows.drop("positive of a row", len(chosen))
    for pair in chosen:
        rows.reserve(*pair)
    return chosen


def _choose_negatives(
    pool: dict[str, list[str]],
    pairs: dict[str, list[tuple[str, str]]],
    meanings: dict[str, Meaning],
    rows: Rows,
) -> None:
    entries = [(text, command) for command, texts in pool.items() for text in texts]
    nearest = Nearest([meanings[text].content for text, _ in entries])
    for command in sorted(pairs):
        for first, second in pairs[command]:
            pair = (meanings[first], meanings[second])
            for similarity, number in nearest.search(pair[0].content, _CLOSE):
                text, other = entries[number]
                if other == command or similarity > _TOO_CLOSE or not rows.free(text):
                    continue
                trap = difference(pair, meanings[text])
                if trap or (trap == "" and similarity <= _TOO_CLOSE_IN_WORDS):
                    rows.unreserve(first, second)
                    group = f"nl2bash:{command}"
                    rows.add(
                        first,
                        second,
                        text,
                        domain="programming",
                        group=group,
                        trap=trap or None,
                    )
                    break
            else:
                rows.drop("no close description of another command")
