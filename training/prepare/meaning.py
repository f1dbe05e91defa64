"""What of two short requests can be compared without understanding them.

Used to keep out false positives and false negatives: two people's descriptions of one command
must agree in numbers, names, action and polarity; a negative must differ in at least one thing
that matters, not in the choice between ``folder`` and ``directory``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from semantic_router_lora.data.words import STOP_WORDS, words

_SAME = {
    "directory": "dir folder directorie subdirectory subdirectorie subfolder path",
    "show": "list display print find search output view get locate see look report return fetch "
    "retrieve select obtain",
    "delete": "remove rm erase drop purge",
    "file": "entry document",
    "current": "present working cwd pwd",
    "name": "named filename call called",
    "modify": "update change edit alter updated changed modified",
    "own": "owner ownership owned owning",
    "recursive": "recursively tree below beneath",
    "number": "count total amount",
    "set": "assign give grant",
    "large": "big huge bigger larger biggest largest",
    "record": "row tuple entry",
    "column": "field attribute",
    "unique": "distinct",
    "duplicate": "repeated duplicated",
    "database": "db schema",
    "create": "make build generate",
    "combine": "merge concatenate concat join",
    "archive": "tar tarball",
    "compress": "zip gzip compressed gzipped",
    "extension": "suffix ending end",
    "contain": "containing include including have having with hold",
    "begin": "start starting beginning",
    "text": "string word",
    "kill": "terminate stop",
    "copy": "cp",
    "move": "mv",
    "last": "latest recent newest",
    "maximum": "max highest greatest",
    "minimum": "min lowest smallest",
}
_CANON = {word: head for head, others in _SAME.items() for word in (head, *others.split())}
_NUMBERS = {
    word: str(number)
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve".split()
    )
    if number > 1  # "one" is seldom a number
}
_DIGITS = re.compile(r"\d+")
_COMPARISONS = {
    "more": "more greater larger bigger over older above exceed exceeding least longer",
    "less": "less smaller within past newer fewer below most shorter",
    "exactly": "exactly",
}
_NEGATIONS = frozenset(
    """not no non without except excluding exclude excludes besides never isn't aren't doesn't don't
    omit omitting ignoring ignore skip skipping""".split()
)
_LITERAL = re.compile(r"\"([^\"]+)\"|'([^' ]+)'|`([^`']+)['`]")
_PATHLIKE = re.compile(r"[~*/$]|\w\.\w")


def stem(word: str) -> str:
    """A crude common form of a word."""
    if word in _CANON:
        return _CANON[word]
    for ending, rest in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)] + rest
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] in "bdgmnprt":
        word = word[:-1]
    for form in (word, word + "e"):
        if form in _CANON:
            return _CANON[form]
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


_ACTIONS = frozenset(
    map(
        stem,
        """delete number copy move rename archive compress replace sort kill create append extract
        download upload sync convert split combine insert compare mount encrypt decrypt
        install uninstall enable disable backup restore import export""".split(),
    )
)
_VAGUE = frozenset(
    map(
        stem,
        """all any every each entire whole show file directory current recursive system specified
        given certain specific particular regular using use command way best possible please line
        name contain only also then want need try help question sql query statement
        server""".split(),
    )
)


@dataclass(frozen=True)
class Meaning:
    """Comparable parts of a request.

    Attributes:
        text: the request in lower case.
        content: stems of all words that carry something.
        specific: those that are not vague.
        numbers: numbers named.
        literals: quoted texts and things that look like a path or pattern.
        actions: what is done, other than showing.
        negated: whether something is excluded.
        comparisons: more, less, exactly.
    """

    text: str
    content: frozenset[str]
    specific: frozenset[str]
    numbers: frozenset[str]
    literals: frozenset[str]
    actions: frozenset[str]
    negated: bool
    comparisons: frozenset[str]


def meaning(text: str) -> Meaning:
    """Take a request apart."""
    tokens = words(text)
    plain = [token for token in tokens if token not in STOP_WORDS]
    stems = frozenset(map(stem, plain))
    numbers = {_NUMBERS[token] for token in tokens if token in _NUMBERS}
    numbers.update(digits.lstrip("0") or "0" for digits in _DIGITS.findall(text))
    return Meaning(
        text=text.lower(),
        content=stems,
        specific=frozenset(s for s in stems if s not in _VAGUE and len(s) > 1),
        numbers=frozenset(numbers),
        literals=_literals(text),
        actions=stems & _ACTIONS,
        negated=bool(_NEGATIONS.intersection(tokens)),
        comparisons=frozenset(
            kind for kind, those in _COMPARISONS.items() if set(those.split()) & set(tokens)
        ),
    )


def _literals(text: str) -> frozenset[str]:
    found = {next(filter(None, groups)) for groups in _LITERAL.findall(text)}
    rest = _LITERAL.sub(" ", text)
    found.update(token for token in rest.split() if _PATHLIKE.search(token))
    bare = (token.lower().strip("\"'`,;:()[]*./ ?!") for token in found)
    return frozenset(token for token in bare if token and token != "and/or")


def disagreement(first: Meaning, other: Meaning) -> str | None:
    """Why two texts that should say the same do not, or None."""
    if first.numbers != other.numbers:
        return "anchor and positive differ in numbers"
    if not (_names(first, other) and _names(other, first)):
        return "anchor and positive differ in names"
    if first.actions != other.actions:
        return "anchor and positive differ in action"
    if first.negated != other.negated:
        return "anchor and positive differ in polarity"
    if first.comparisons != other.comparisons:
        return "anchor and positive differ in comparison"
    return None


def _names(first: Meaning, other: Meaning) -> bool:
    """Whether one text names all that is quoted in the other, quoted there or not."""
    return all(literal in first.text for literal in other.literals)


def difference(pair: tuple[Meaning, Meaning], negative: Meaning) -> str | None:
    """The trap by which a negative differs from both texts of a pair; None if it may not differ.

    An empty text stands for a difference that fits none of the six names.
    """
    anchor, positive = pair
    if anchor.numbers != negative.numbers and anchor.numbers and negative.numbers:
        return "number"
    if anchor.negated != negative.negated:
        return "negation"
    if anchor.actions != negative.actions:
        return "aspect"
    if anchor.literals and negative.literals and not anchor.literals & negative.literals:
        return "entity"
    both = anchor.content | positive.content
    if negative.specific - both and anchor.specific - negative.content:
        return ""
    return None
