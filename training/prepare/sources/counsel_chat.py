"""Counsel Chat: title and body of a question to counsellors.

Both are the asker's own words; of a body that is too long, the consecutive sentences that share
most with the title are taken. The negative is a text of the closest other question. A unit is a
question. A body can ask more than its title, so a few per cent of the positives match in part.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

from prepare.archives import Originals, decoded
from prepare.meaning import meaning
from prepare.nearest import Nearest
from prepare.rows import Rows
from prepare.texts import MAX_WORDS, clean, digest, fault
from semantic_router_lora.data.words import content_words, words
from semantic_router_lora.errors import DataError

FILES = r"(^|/)(20200325_)?counsel_chat\.csv$"
_COLUMNS = ("questionID", "questionTitle", "questionText", "topic")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_CLOSE, _TOO_CLOSE = 0.06, 0.5
# "How can I stay strong?": the answer to it hangs on the body.
_SUBJECTS = 3
_SPARE_WORDS = 6


@dataclass(frozen=True)
class _Question:
    number: str
    title: str
    body: str
    topic: str


def make(originals: Originals, rows: Rows) -> None:
    """Read the questions; each stands in the file once for every answer."""
    questions = _read(originals)
    rows.read = len(questions)
    pairs: list[_Question] = []
    spare: list[tuple[str, str]] = []
    for question in questions:
        if reason := _unfit(question, rows):
            rows.drop(reason)
            spare.extend(
                (text, question.number)
                for text in (question.title, question.body)
                if rows.fault(text) is None and len(words(text)) >= _SPARE_WORDS
            )
        else:
            pairs.append(question)
    _choose_negatives(pairs, spare, rows)


def _read(originals: Originals) -> list[_Question]:
    name, content = originals.one(FILES)
    where = f"{originals.where}: {name}"
    reader = csv.DictReader(io.StringIO(decoded(content, where), newline=""))
    if missing := [column for column in _COLUMNS if column not in (reader.fieldnames or ())]:
        raise DataError(f"{where}: no column {', '.join(missing)}")
    questions: dict[str, _Question] = {}
    try:
        for row in reader:
            number, title, body, topic = (row[column] or "" for column in _COLUMNS)
            title = clean(title)
            body = _excerpt(clean(body), content_words(title))
            questions.setdefault(number, _Question(number, title, body, topic))
    except csv.Error as error:
        raise DataError(f"{where}: not valid CSV near line {reader.line_num}: {error}") from error
    return sorted(questions.values(), key=lambda q: (q.title, q.body, q.number))


def _excerpt(body: str, title: frozenset[str]) -> str:
    """The run of sentences within the limit that shares most with the title, the longer first."""
    if fault(body) is None:
        return body
    sentences = _SENTENCE.split(body)
    best = (0, 0, "")
    for first in range(len(sentences)):
        for last in range(first + 1, len(sentences) + 1):
            run = " ".join(sentences[first:last])
            length = len(words(run))
            if length > MAX_WORDS:
                break
            best = max(best, (len(content_words(run) & title), length, run))
    return best[2]


def _unfit(question: _Question, rows: Rows) -> str | None:
    if not question.body:
        return "no body"
    if reason := rows.pair_fault(question.title, question.body):
        return reason
    title = meaning(question.title).content
    shared = title & meaning(question.body).content
    if not shared:
        return "title and body share no content word"
    if len(title) < _SUBJECTS:
        return "title says too little"
    if len(shared) < 2 or len(shared) * 3 < len(title):
        return "title and body share too little"
    return None


def _choose_negatives(pairs: list[_Question], spare: list[tuple[str, str]], rows: Rows) -> None:
    """Texts of questions without a row serve first; then a question gives up its own row."""
    entries = sorted(spare) + [
        (text, question.number) for question in pairs for text in (question.title, question.body)
    ]
    meanings = [meaning(text).content for text, _ in entries]
    nearest = Nearest(meanings)
    given_up: set[str] = set()
    used: set[str] = set()
    # in an order that has nothing to do with what is asked, so that no letter is favoured
    for question in sorted(pairs, key=lambda q: (digest(q.title, q.body), q.number)):
        if question.number in given_up:
            rows.drop("gave its texts to other rows")
            continue
        own = meaning(question.title).content | meaning(question.body).content
        best: tuple[bool, float, int] | None = None
        for similarity, number in nearest.search(own, _CLOSE):
            text, other = entries[number]
            if other == question.number or other in used or similarity > _TOO_CLOSE:
                continue
            if not rows.free(text) or meanings[number] <= own:
                continue
            costs_nothing = number < len(spare) or other in given_up
            # a text that costs another row must be much closer
            if best is None or (costs_nothing and not best[0] and similarity * 2 > best[1]):
                best = (costs_nothing, similarity, number)
            if best[0] or similarity * 2 < best[1]:
                break
        if best is None:
            rows.drop("no close other question")
            continue
        text, other = entries[best[2]]
        given_up.add(other)
        title_first = digest(question.title) % 2 == 0
        anchor, positive = (
            (question.title, question.body) if title_first else (question.body, question.title)
        )
        if rows.add(
            anchor, positive, text, domain="psychology", group=f"counsel_chat:{question.number}"
        ):
            used.add(question.number)
