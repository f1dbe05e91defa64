"""RQE (AMIA 2016): a clinician's question as asked, and its short form.

All three texts are people's. The negative is the lexically closest short form of another question;
short forms that are no use as a positive, because they copy the question, serve first. A unit is a
pair of train.xml labelled as entailing; the others pair questions at random and are not counted.
Nothing that occurs in test.xml is used.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from prepare.archives import Originals
from prepare.meaning import Meaning, meaning
from prepare.nearest import Nearest
from prepare.rows import Rows
from prepare.texts import clean, normal
from semantic_router_lora.data.words import content_words
from semantic_router_lora.errors import DataError

TRAIN = r"(^|/)(RQE_Train_8588_AMIA2016|train)\.xml$"
TEST = r"(^|/)(RQE_Test_302_pairs_AMIA2016|test)\.xml$"
FILES = f"{TRAIN}|{TEST}"
_CLOSE, _TOO_CLOSE = 0.1, 0.5
# "What should I do for her?": nobody can answer that without the patient.
_SUBJECTS = 3


def make(originals: Originals, rows: Rows) -> None:
    """Read the pairs of train.xml."""
    test = {normal(text) for _, *pair in read_pairs(originals, TEST) for text in pair}
    pairs: list[tuple[str, str]] = []
    fillers: list[str] = []
    for entails, question, short in read_pairs(originals, TRAIN):
        if not entails:
            continue
        rows.read += 1
        if {normal(question), normal(short)} & test:
            rows.drop("text in test.xml")
        elif reason := _unfit(question, short, rows):
            rows.drop(reason)
            if rows.free(short):
                fillers.append(short)
        else:
            pairs.append((question, short))
            rows.reserve(question, short)
    _choose_negatives(sorted(pairs, key=lambda p: p[1]), sorted(set(fillers)), rows)


def read_pairs(originals: Originals, pattern: str) -> list[tuple[bool, str, str]]:
    """(whether the first entails the second, first, second).

    Raises:
        DataError: if the file is missing, broken XML or lacks a question.
    """
    name, content = originals.one(pattern)
    where = f"{originals.where}: {name}"
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise DataError(f"{where}: declares entities; the original does not")
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DataError(f"{where}: not valid XML: {error}") from error
    pairs = []
    for pair in root.iter("pair"):
        question, short = pair.findtext("chq"), pair.findtext("faq")
        if question is None or short is None:
            raise DataError(f"{where}: pair {pair.get('pid')} lacks chq or faq")
        pairs.append((pair.get("value") == "true", clean(question), clean(short)))
    if not pairs:
        raise DataError(f"{where}: holds no pairs")
    return pairs


def _unfit(question: str, short: str, rows: Rows) -> str | None:
    if reason := rows.pair_fault(question, short):
        return reason
    shared = content_words(question) & content_words(short)
    if len(shared) < 2:
        return "fewer than two words shared with the short form"
    if len(meaning(short).specific) < _SUBJECTS:
        return "short form says too little"
    if not meaning(short).numbers <= meaning(question).numbers:
        return "short form names other numbers"
    return None


def _choose_negatives(pairs: list[tuple[str, str]], fillers: list[str], rows: Rows) -> None:
    entries = sorted({*fillers, *(short for _, short in pairs)})
    meanings = [meaning(text) for text in entries]
    nearest = Nearest([m.content for m in meanings])
    for question, short in pairs:
        asked, brief = meaning(question), meaning(short)
        for similarity, number in nearest.search(brief.content, _CLOSE):
            text = entries[number]
            if similarity > _TOO_CLOSE or not rows.free(text):
                continue
            if _differs(asked, brief, meanings[number]):
                rows.unreserve(question, short)
                group = "rqe:" + re.sub(r"\W+", " ", short.lower()).strip()
                # the stored question may be either of the two
                anchor, positive = (question, short) if len(group) % 2 else (short, question)
                rows.add(anchor, positive, text, domain="medical", group=group)
                break
        else:
            rows.drop("no close short form of another question")


def _differs(question: Meaning, short: Meaning, negative: Meaning) -> bool:
    new = negative.specific - question.content - short.content
    return bool(new) and bool(short.specific - negative.content)
