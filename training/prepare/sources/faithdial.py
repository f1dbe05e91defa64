"""FaithDial (McGill-NLP/FaithDial): what a reply says, and what its first draft made up.

In each turn a person corrected a reply so that it says no more than a given sentence of knowledge.
Anchor: the knowledge; positive: the corrected reply, which conveys it in other words; negative:
the draft, which fits the talk as well and says something else. These are statements, not questions,
and a reply often conveys only part of the knowledge, so pairs that share little are dropped. Turns
whose draft was kept have no near miss and are dropped, too. The domain is general, but for talk of
the mind, which is psychology. A unit is a turn.
"""

from __future__ import annotations

import re

from prepare.hub import Records
from prepare.rows import Rows
from prepare.texts import clean
from semantic_router_lora.data.words import content_words

ROWS_PER_DIALOGUE = 2
_SHARED = 0.25
_MIND = re.compile(
    r"\b(psycholog|psychiatr|depress|anxi(?:ety|ous)|therap|counsel|emotion|mental|phobia|autis|"
    r"bipolar|schizo|personality|introver|extrover|grief|griev|trauma|self-esteem|memory)",
    re.IGNORECASE,
)
_SPEAKER = re.compile(r"^\s*(?:bot|wizard|user|apprentice|seeker)\s*:\s*", re.IGNORECASE)


def make(records: Records, rows: Rows) -> None:
    """Fields: dialog_idx, knowledge, response, original_response (null if the draft was kept)."""
    made: dict[int, int] = {}
    for number, record in records:
        rows.read += 1
        dialogue = records.field(number, record, "dialog_idx", int)
        knowledge = clean(records.field(number, record, "knowledge", str))
        response = _said(records.field(number, record, "response", str))
        draft = record.get("original_response")
        shared = content_words(knowledge) & content_words(response)
        if not isinstance(draft, str) or not draft.strip():
            rows.drop("draft was kept")
        elif made.get(dialogue, 0) == ROWS_PER_DIALOGUE:
            rows.drop("enough rows of this dialogue")
        elif reason := rows.pair_fault(knowledge, response):
            rows.drop(reason)
        elif len(shared) < _SHARED * len(content_words(knowledge)):
            rows.drop("reply conveys too little of the knowledge")
        elif content_words(_said(draft)) <= content_words(knowledge) | content_words(response):
            rows.drop("draft says nothing else")
        else:
            domain = "psychology" if _MIND.search(knowledge) else "general"
            group = f"faithdial:{dialogue}"
            made[dialogue] = made.get(dialogue, 0) + rows.add(
                knowledge, response, _said(draft), domain=domain, group=group
            )


def _said(text: str) -> str:
    return _SPEAKER.sub("", clean(text))
