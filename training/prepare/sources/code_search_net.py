"""CodeSearchNet (code-search-net/code_search_net): docstrings and names of functions.

The anchor is the first sentence of a docstring, the positive the name of the function, split into
words; both are the programmer's. A name is an extract of what the function does, seldom a full
paraphrase, so pairs that share less than a third of the sentence, or nearly all of it, are dropped;
expect many of the rest to say less than the docstring. The negative is the first sentence of the
closest other function of the same repository. A unit is a record.
"""

from __future__ import annotations

import re
from collections import defaultdict

from prepare.hub import Records
from prepare.meaning import meaning
from prepare.nearest import Nearest
from prepare.rows import Rows
from prepare.texts import clean, normal

ROWS_PER_REPOSITORY = 20
_CLOSE, _TOO_CLOSE = 0.1, 0.6
_SENTENCE = re.compile(r"(?<=[\w)\]`'\"])\.(?:\s|$)|\n\s*\n|\n\s*(?=[:@]\w|Args|Returns|Param)")
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_NAMELESS = re.compile(r"(^|\.)(_|test|main|init|run|setup|get|set)(_|$)")


def make(records: Records, rows: Rows) -> None:
    """Fields: repository_name, func_name, func_documentation_string."""
    functions: dict[str, dict[str, str]] = defaultdict(dict)
    for number, record in records:
        rows.read += 1
        repository = records.field(number, record, "repository_name", str)
        name = records.field(number, record, "func_name", str)
        documentation = records.field(number, record, "func_documentation_string", str)
        summary = clean(_SENTENCE.split(documentation.strip(), maxsplit=1)[0])
        if reason := rows.fault(summary):
            rows.drop(reason)
        elif summary in functions[repository]:
            rows.drop("same documentation twice in a repository")
        else:
            functions[repository][summary] = name
    for repository in sorted(functions):
        _rows_of(repository, sorted(functions[repository].items()), rows)


def spoken(name: str) -> str:
    """``Reader.readJsonLines`` as ``read json lines``."""
    return " ".join(word.lower() for word in _WORD.findall(name.rsplit(".", 1)[-1]))


def _rows_of(repository: str, functions: list[tuple[str, str]], rows: Rows) -> None:
    meanings = [meaning(summary) for summary, _ in functions]
    nearest = Nearest([meant.content for meant in meanings])
    made = 0
    for place, (summary, name) in enumerate(functions):
        own, named = meanings[place], meaning(spoken(name))
        shared = own.content & named.content
        if made == ROWS_PER_REPOSITORY:
            rows.drop("enough rows of this repository")
        elif _NAMELESS.search(name) and len(named.specific) < 2:
            rows.drop("name says too little")
        elif reason := rows.pair_fault(summary, spoken(name)):
            rows.drop(reason)
        elif not shared or len(shared) * 3 < len(own.content):
            rows.drop("name and documentation share too little")
        else:
            near = [
                functions[number][0]
                for similarity, number in nearest.search(own.content, _CLOSE)
                if number != place
                and similarity <= _TOO_CLOSE
                and rows.free(functions[number][0])
                and meanings[number].specific - own.content - named.content
            ]
            if not near:
                rows.drop("no near function in the repository")
                continue
            made += rows.add(
                summary,
                spoken(name),
                near[0],
                domain="programming",
                group=f"code_search_net:{normal(repository)}",
            )
