"""StaQC: titles of Stack Overflow questions on SQL.

The anchor is a title as a person wrote it. Stack Overflow gives it no second wording, so the
positive is made by rule, and that is the weak side of these rows. The negative is the closest other
title that differs in something that matters, also a person's, or the request with its direction,
operation or product changed. A unit is a title; only requests ("how to ...", "get the ...") are
used, since only they can be reworded by rule.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from prepare.archives import Originals
from prepare.meaning import Meaning, difference, meaning, stem
from prepare.nearest import Nearest
from prepare.pickles import titles_by_number
from prepare.rewrite import fill, lines_of, wordings
from prepare.rows import Rows
from prepare.sources.staqc_swaps import swaps
from prepare.texts import clean, digest, normal, pick
from prepare.verbs import BASE_OF, VERBS

FILES = r"(^|/)(sql_titles|sql_how_to_do_it_by_classifier_multiple_qid_to_title)\.pickle$"
_TOPIC = re.compile(r"^(?P<topic>[\w# ]{2,24}?)\s*(?::|\s-)\s+(?P<rest>.+)$")
_LEAD = re.compile(
    r"^(?:(?:how (?:to|do i|can i|do you|would i|could i|should i|can you|can we|do we|does one)|"
    r"is there (?:a|any) (?:\w+ )?way (?:to|of)|is it possible to|is there a possibility to|"
    r"what(?:'s| is| would be) the (?:\w+ ){0,2}way (?:to|of)|(?:the )?(?:\w+ )?way to|"
    r"can i|can you|i (?:need|want|would like) to|need to|want to|trying to|i am trying to|"
    r"i'm trying to|help|need help (?:with|to)?)\s+)+",
    re.IGNORECASE,
)
_UNFIT = re.compile(
    r"not work|doesn't|does not|\berror\b|\bissue|\bproblem|\bwrong\b|\bhelp\b|\bwhy\b|[.?!;] \S|"
    r"\.\.\.|\bthis\b|\bthese\b|\bi\b(?! )|^use of|[{}<>|]",
    re.IGNORECASE,
)
_PRODUCT = re.compile(
    r"(?:oracle|sql|pl/?|t-?|my|ms|postgre|postgres|postgresql|mysql|mssql|sqlite|server|access|db2|"
    r"rails|django|hive|linq|to|php|java|android|c#|hibernate|jpa|ssis|ssrs|20\d\d|[0-9.g]+|\s|-)+",
    re.IGNORECASE,
)
_NOUNS = re.compile(
    r"^(?:update|select|insert|delete|count|query|join|group|order|limit|trigger|"
    r"output|display|access|filter|merge|pivot|return|match|process|design|sort|check|insert|"
    r"rank|change|use) (?:query|statement|of|by|on|with|in|for|trigger|to|as|is|"
    r"command|join|from|into|inside|not|and|issue|set|where|clause|results?)\b",
    re.I,
)
_CLOSE, _TOO_CLOSE = 0.28, 0.7
# A title is no other request for having one of these more or less.
_ANYWHERE = frozenset(
    map(
        stem,
        """result set table data value row column database mysql oracle sqlite postgresql postgres
        tsql t-sql db access efficiently simple single same different number occurrences occurences
        records select get multiple based without with statement clause function""".split(),
    )
)


@dataclass(frozen=True)
class _Title:
    text: str
    phrase: str
    meant: Meaning


def make(originals: Originals, rows: Rows) -> None:
    """Read the titles and make at most one row of each."""
    frames = lines_of("frames_query.txt")
    name, content = originals.one(FILES)
    titles = titles_by_number(content, f"{originals.where}: {name}")
    rows.read = len(titles)
    requests: list[_Title] = []
    others: list[str] = []
    seen: set[str] = set()
    for text in sorted(clean(title) for title in titles.values()):
        if normal(text) in seen:
            rows.drop("same title twice")
            continue
        seen.add(normal(text))
        phrase = request(text)
        if reason := rows.fault(text):
            rows.drop(reason)
            continue
        others.append(text)
        if phrase is None:
            rows.drop("no request that a rule can reword")
        elif len((meant := meaning(phrase)).specific) < 4:
            rows.drop("says too little")
        else:
            requests.append(_Title(text, phrase, meant))
    meanings = [meaning(text) for text in others]
    nearest = Nearest([meant.content for meant in meanings])
    for title in sorted(requests, key=lambda t: (digest(t.text), t.text)):
        _add_row(title, (others, meanings, nearest), frames, rows)


def request(title: str) -> str | None:
    """The verb phrase of a title that asks how to do something, or None."""
    text = title.rstrip(" ?.!")
    if _UNFIT.search(text):
        return None
    topic = None
    if found := _TOPIC.match(text):
        topic, text = found["topic"], found["rest"]
    rest = _LEAD.sub("", text, count=1)
    verb, _, tail = rest.partition(" ")
    base = BASE_OF.get(verb.lower(), verb.lower())
    if base not in VERBS or not tail or (rest == text and _NOUNS.match(rest)):
        return None
    phrase = f"{base} {tail}"
    if topic and topic.lower() not in phrase.lower() and _is_product(topic):
        phrase += f" in {topic}"
    return phrase


def _is_product(topic: str) -> bool:
    return bool(_PRODUCT.fullmatch(topic.strip()))


def _add_row(
    title: _Title,
    others: tuple[list[str], list[Meaning], Nearest],
    frames: list[str],
    rows: Rows,
) -> None:
    if not rows.free(title.text):
        rows.drop("negative of another row")
        return
    positives = [
        text
        for text in wordings(title.text, title.phrase, frames, least=2, most_overlap=0.6)
        if rows.pair_fault(title.text, text) is None
    ]
    if not positives:
        rows.drop("no wording that differs enough")
        return
    changed = [(trap, text) for trap, text in swaps(title.phrase) if rows.free(text)]
    trap: str | None = None
    negative: str | None = None
    if changed and (changed[0][0] == "role" or digest("swap", title.text) % 2):
        trap, phrase = changed[0]
        negative = fill(pick(frames, "negative", title.text), phrase)
    else:
        found = _closest(title, *others, rows)
        if found is not None:
            trap, negative = found
    if negative is None:
        rows.drop("no close title that differs")
        return
    rows.add(
        title.text,
        positives[0],
        negative,
        domain="programming",
        group=f"staqc:{normal(title.text)}",
        trap=trap or None,
    )


def _closest(
    title: _Title, texts: list[str], meanings: list[Meaning], nearest: Nearest, rows: Rows
) -> tuple[str, str] | None:
    for similarity, number in nearest.search(title.meant.content, _CLOSE):
        if similarity > _TOO_CLOSE or texts[number] == title.text or not rows.free(texts[number]):
            continue
        other = meanings[number]
        trap = difference((title.meant, title.meant), other)
        new = other.specific - title.meant.content - _ANYWHERE
        gone = title.meant.specific - other.content - _ANYWHERE
        if trap is not None and new and gone:
            return trap, texts[number]
    return None
