"""Other wordings of a technical request, by rule.

A request is a verb phrase (``get the last row of a table``). A wording puts it into a frame, after
exchanging words for others that mean the same, moving a condition to the front, or reducing it to
keywords. What a rule changes is seldom how a person would have put it; use it only where a source
has no second wording by a person.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from prepare.texts import digest, shuffled
from prepare.verbs import gerund_phrase
from semantic_router_lora.data.words import jaccard, words
from semantic_router_lora.errors import DataError

_HERE = Path(__file__).parent
_MOST_EXCHANGES = 3
_EMPTY = frozenset("a an the of is are that this these my its it which be".split())
# A condition that can stand first; what precedes it must be complete without it.
_CONDITION = re.compile(
    r"^(?P<main>.{12,}?) (?P<condition>(?:without|using|based on|when|if|for each|for every|"
    r"after|before|in (?:my|t-?|ms ?)?sql(?: server)?|in oracle|in postgres\w*|in sqlite) .*|"
    r"in (?:mysql|t-?sql|sql server|oracle|postgres\w*|sqlite|sql))$",
    re.IGNORECASE,
)
_INCOMPLETE = re.compile(
    r"\b(?:and|or|but|without|by|of|in|on|at|to|from|with|the|a|an|is|are|not|only|where|rows?|"
    r"see|case|check|know|test|find out|determine|query|even)$",
    re.IGNORECASE,
)


def lines_of(name: str) -> list[str]:
    """The lines of a word list in this folder that are neither empty nor comments."""
    text = (_HERE / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@cache
def _phrases() -> dict[str, list[tuple[str, re.Pattern[str], list[str]]]]:
    """Phrases, their patterns and what may replace them, by section, longer phrases first."""
    sections: dict[str, dict[str, list[str]]] = {}
    for line in lines_of("phrases.txt"):
        if line.startswith("["):
            current = sections[line.strip("[]")] = {}
            continue
        found, _, options = line.partition(" = ")
        if not options:
            raise DataError(f"phrases.txt: expected 'from = to | to', found {line!r}")
        current[found] = [option.strip() for option in options.split("|")]
    return {
        name: [
            (found.lower(), _pattern(found, name == "first"), section[found])
            for found in _longest(section)
        ]
        for name, section in sections.items()
    }


def _longest(section: dict[str, list[str]]) -> list[str]:
    return sorted(section, key=lambda found: (-len(found), found))


def _pattern(found: str, opens: bool) -> re.Pattern[str]:
    before = "^" if opens else r"(?<![\w.`-])"
    return re.compile(before + re.escape(found) + r"(?![\w.`(-])", re.IGNORECASE)


def exchanged(phrase: str, sections: tuple[str, ...], *key: str) -> tuple[str, int]:
    """A phrase with some of its words exchanged, and how many places were."""
    places: list[tuple[int, int, str]] = []
    lower = phrase.lower()
    for section in sections:
        for found, pattern, options in _phrases()[section]:
            for match in pattern.finditer(phrase) if found in lower else ():
                start, end = match.span()
                if all(end <= first or last <= start for first, last, _ in places):
                    option = options[digest(match[0].lower(), *key) % len(options)]
                    places.append((start, end, option))
    chosen = sorted(places, key=lambda place: digest(str(place), *key))[:_MOST_EXCHANGES]
    for start, end, option in sorted(chosen, reverse=True):
        phrase = phrase[:start] + option + phrase[end:]
    return phrase, len(chosen)


def keywords(phrase: str) -> str:
    """What one would type into a search box; words that tell from and to apart stay."""
    return " ".join(token for token in phrase.split() if token.lower() not in _EMPTY)


def fronted(phrase: str) -> tuple[str, str] | None:
    """(condition, main part) if the phrase ends with a condition that can go first."""
    found = _CONDITION.match(phrase)
    if found is None or _INCOMPLETE.search(found["main"]) or len(found["main"].split()) < 3:
        return None
    return found["condition"], found["main"]


def fill(frame: str, phrase: str, command: str = "") -> str:
    """A frame with a request in it."""
    text = frame.replace("{do}", phrase).replace("{doing}", gerund_phrase(phrase))
    text = text.replace("{cmd}", command)
    if frame.startswith(("{do}", "{doing}")) and digest(text) % 2:
        text = text[:1].upper() + text[1:]
    return text


def wordings(
    anchor: str,
    phrase: str,
    frames: list[str],
    command: str = "",
    least: int = 1,
    most_overlap: float = 0.7,
) -> list[str]:
    """Rewrites of a request that are not close to the anchor, the more changed ones first.

    Args:
        anchor: the text that they must differ from.
        phrase: verb phrase of the request.
        frames: of which some are tried.
        command: for frames that name one.
        least: places that must have been changed besides the frame.
        most_overlap: with the anchor, in words (Jaccard).
    """
    found: list[tuple[bool, int, str]] = []
    own = frozenset(words(anchor))
    sections = ("first", "any") if command else ("first", "any", "sql")
    for number, frame in enumerate(shuffled(frames, anchor)[:6]):
        changed, places = exchanged(phrase, sections, anchor, str(number))
        moved = fronted(changed)
        if moved is not None and number % 2 and not command:
            condition, main = moved
            text = f"{condition}, {_question(main, number)}"
            text = text[:1].upper() + text[1:]
            places += 1
        elif number == 0 and digest("keywords", anchor) % 8 == 0:
            # "gradle clean" is not told to clean twice
            bare = phrase if phrase.split()[0] not in command.split() else phrase.split(" ", 1)[-1]
            text = f"{command} {keywords(bare)}".strip()
            places = 2
        else:
            text = fill(frame, changed, command)
        overlap = jaccard(own, frozenset(words(text)))
        if places >= least and 0.15 <= overlap <= most_overlap:
            found.append((places < 2, number, text))
    return [text for _, _, text in sorted(found)]


def _question(main: str, number: int) -> str:
    openings = ("how do I", "how can one", "what is the way to", "is it possible to", "how to")
    return f"{openings[number % len(openings)]} {main}?"
