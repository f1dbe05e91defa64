"""LexGLUE (coastalcph/lex_glue): the only law among the sources, and no questions at all.

Two of its seven subsets have texts short enough and a structure that yields near misses:

- case_hold: the end of a passage of a court's opinion, and the holding that it cites, chosen by the
  data set among five. Anchor and positive say different halves of one argument, so this teaches
  which holding belongs to which matter, not paraphrase. The negative is the closest wrong holding
  of the five: real near misses.
- unfair_tos: two companies' clauses of the same unfair kind that share many words; the negative
  is the closest clause of another kind, or of none. Same kind is weaker than same answer.

The others (ecthr, eurlex, scotus, ledgar) are long documents with a topic label: a topic is not an
answer, so nothing is made of them. A unit is a record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from prepare.hub import Records
from prepare.nearest import Nearest
from prepare.rows import Rows
from prepare.texts import clean, normal
from semantic_router_lora.data.words import content_words

_HOLDING = re.compile(r"\(?\s*<HOLDING>\s*\)?")
_SENTENCE = re.compile(r"(?<=[a-z0-9)][.;])(?<! v\.)\s+(?=[A-Z])")
_CITATION = re.compile(r"\b(?:\d+ [A-Z][\w. ]{1,12}\d+|[A-Z][\w.']+ v\. [A-Z]\w+|Id\.)")
_SHARED = 2
_CLOSE, _SAME_CLAUSE, _COPY = 0.15, 0.25, 0.7


def case_hold(records: Records, rows: Rows) -> None:
    """Fields: context, endings (five), label (which of them)."""
    for number, record in records:
        rows.read += 1
        context = records.field(number, record, "context", str)
        endings = records.field(number, record, "endings", list)
        label = int(records.field(number, record, "label", (int, str)))
        if not 0 <= label < len(endings):
            rows.drop("label names no ending")
            continue
        anchor, positive = _argument(context), _holding(endings[label])
        wrong = [_holding(text) for place, text in enumerate(endings) if place != label]
        shared = content_words(anchor) & content_words(positive)
        if reason := rows.pair_fault(anchor, positive):
            rows.drop(reason)
        elif len(shared) < _SHARED:
            rows.drop("passage and holding share too little")
        else:
            ranked = Nearest([content_words(text) for text in wrong]).search(
                content_words(positive)
            )
            free = [wrong[place] for _, place in ranked if rows.free(wrong[place])]
            if not free:
                rows.drop("no wrong holding that is near")
                continue
            rows.add(anchor, positive, free[0], domain="law", group=f"case_hold:{normal(anchor)}")


def _argument(context: str) -> str:
    """The sentence that the cited holding supports, without citations."""
    before = clean(_HOLDING.split(context)[0])
    sentences = [
        sentence
        for sentence in _SENTENCE.split(before)
        if not _CITATION.search(sentence) and len(sentence.split()) >= 6
    ]
    return sentences[-1] if sentences else ""


def _holding(text: str) -> str:
    return re.sub(r"^holding\s+(?:that\s+)?", "", clean(str(text)), flags=re.IGNORECASE)


def unfair_tos(records: Records, rows: Rows) -> None:
    """Fields: text, labels (kinds of unfairness, none for most clauses)."""
    clauses: list[tuple[str, frozenset[int]]] = []
    for number, record in records:
        rows.read += 1
        text = clean(records.field(number, record, "text", str))
        labels = records.field(number, record, "labels", list)
        if reason := rows.fault(text):
            rows.drop(reason)
        else:
            clauses.append((text, frozenset(map(int, labels))))
    clauses.sort(key=lambda clause: (clause[0], sorted(clause[1])))
    nearest = Nearest([content_words(text) for text, _ in clauses])
    for text, kinds in clauses:
        if not kinds:
            rows.drop("clause of no unfair kind")
        elif not rows.free(text):
            rows.drop("text stands in another row")
        else:
            _add_clause(text, kinds, list(_near(text, clauses, nearest, rows)), rows)


def _near(
    text: str,
    clauses: list[tuple[str, frozenset[int]]],
    nearest: Nearest,
    rows: Rows,
) -> Iterator[tuple[float, str, frozenset[int]]]:
    for similarity, number in nearest.search(content_words(text), _CLOSE):
        other, kinds = clauses[number]
        if other != text and rows.free(other):
            yield similarity, other, kinds


def _add_clause(
    text: str,
    kinds: frozenset[int],
    near: list[tuple[float, str, frozenset[int]]],
    rows: Rows,
) -> None:
    same = [
        other
        for similarity, other, theirs in near
        if theirs == kinds and similarity >= _SAME_CLAUSE and not rows.pair_fault(text, other)
    ]
    different = [
        other for similarity, other, theirs in near if not theirs & kinds and similarity < _COPY
    ]
    if not same or not different:
        rows.drop("no near clause of the same or of another kind")
        return
    group = f"unfair_tos:{min(normal(text), normal(same[0]))}"
    rows.add(text, same[0], different[0], domain="law", group=group)
