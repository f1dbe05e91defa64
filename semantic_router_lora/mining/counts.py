"""What became of the texts, groups and pairs that were mined."""

from __future__ import annotations

from collections import Counter

from semantic_router_lora.mining.ledger import Row
from semantic_router_lora.mining.questions import Questions
from semantic_router_lora.mining.tally import Tally


def count_all(questions: Questions, rows: list[Row], pair_ends: Counter[str]) -> list[Tally]:
    """Tallies from what was read to the rows that were written.

    Args:
        questions: what was mined.
        rows: what came of it.
        pair_ends: how many pairs of paraphrases ended in which way.
    """
    members = questions.members()
    with_rows = {int(questions.group_of[row.anchor]) for row in rows}
    several = {group for group, texts in members.items() if len(texts) > 1}
    groups = Tally("groups", len(questions.names))
    groups.parts["with rows"] = len(with_rows)
    groups.parts["no text or a single one"] = len(questions.names) - len(several)
    groups.parts["no pair found a near miss"] = len(several) - len(with_rows)

    pairs = Tally("pairs of paraphrases", parts=pair_ends + questions.pairs_left_out)
    pairs.total = pairs.parts.total()
    if questions.pairs is not None:
        labelled = sum(map(len, questions.pairs.values()))
        pairs.total = labelled + questions.pairs_left_out.total()

    asked = {text for row in rows for text in row[:2]}
    near_misses = {row.negative for row in rows}
    texts = Tally("texts taken", len(questions.texts))
    texts.parts["paraphrases"] = len(asked - near_misses)
    texts.parts["near misses"] = len(near_misses - asked)
    texts.parts["both"] = len(near_misses & asked)
    texts.parts["in no row"] = len(questions.texts) - len(asked | near_misses)

    written = Tally("rows written", len(rows))
    written.parts["with a labelled near miss"] = sum(row.labelled for row in rows)
    written.parts["with a mined one"] = sum(not row.labelled for row in rows)
    return [questions.read, groups, texts, pairs, *_labelled(questions, rows, several), written]


def _labelled(questions: Questions, rows: list[Row], several: set[int]) -> list[Tally]:
    """What became of the pairs that were labelled as different."""
    edges = {
        tuple(sorted((text, miss)))
        for text, misses in questions.near_misses.items()
        for miss in misses
    }
    if not edges and not questions.near_misses_left_out.total():
        return []
    ends = Counter[str]()
    written = {row.negative for row in rows if row.labelled}
    for edge in edges:
        if not any(int(questions.group_of[text]) in several for text in edge):
            ends["neither text has a paraphrase"] += 1
        elif written.intersection(edge):
            ends["one of the texts is a near miss"] += 1
        else:
            ends["not used"] += 1
    left_out = questions.near_misses_left_out
    return [Tally("labelled as different", len(edges) + left_out.total(), ends + left_out)]
