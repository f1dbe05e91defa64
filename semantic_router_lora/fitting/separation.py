"""Keeping apart what is learned from and what is judged by."""

from __future__ import annotations

import logging

import numpy as np

from semantic_router_lora.errors import DataError
from semantic_router_lora.fitting.routes import NONE, Queries, RouteSet, text_key

logger = logging.getLogger(__name__)


def separated(routes: RouteSet, asked: Queries, judged: Queries) -> tuple[Queries, Queries]:
    """Queries to learn from and to judge by, of which each text is held in one place only.

    A query that is an utterance of its route is left out: the router would find the utterance
    itself. So is one that stands twice, one to learn from that is judged by, and a decision marked
    wrong that utterances or labelled queries contradict. All are counted in the log. Texts are
    equal whatever their case and spaces.

    Args:
        routes: whose utterances are learned from.
        asked: queries to learn from.
        judged: queries to judge by.

    Raises:
        DataError: if a query belongs to another route than its text, as utterance or as query.
    """
    owner = dict(zip(map(text_key, routes.texts), routes.labels.tolist(), strict=True))
    judged = _once(judged, routes, owner, "to judge by")
    asked = _once(asked, routes, owner, "to learn from")
    held = set(map(text_key, judged.texts))
    rest = asked.take(np.array([text_key(text) not in held for text in asked.texts], bool))
    _say(len(asked) - len(rest), "queries to learn from are among those to judge by")
    known = owner | dict(zip(map(text_key, rest.texts), rest.labels.tolist(), strict=True))
    refused = {
        (text_key(text), number): (text, number)
        for text, number in asked.refused
        if text_key(text) not in held and known.get(text_key(text)) != number
    }
    _say(
        len(asked.refused) - len(refused),
        "decisions marked wrong stand twice, are judged by, or are right by what else is known",
    )
    return Queries(rest.texts, rest.labels, tuple(refused.values())), judged


def _once(queries: Queries, routes: RouteSet, owner: dict[str, int], use: str) -> Queries:
    seen: dict[str, int] = {}
    kept = np.zeros(len(queries), bool)
    utterances = 0
    for row, (text, label) in enumerate(zip(queries.texts, queries.labels.tolist(), strict=True)):
        key = text_key(text)
        if owner.get(key, label) != label:
            raise DataError(
                f"{text!r} is an utterance of {_name(owner[key], routes)}, and a query of "
                f"{_name(label, routes)}: remove one"
            )
        if seen.get(key, label) != label:
            raise DataError(
                f"query {text!r} is one of {_name(seen[key], routes)} and one of "
                f"{_name(label, routes)}: remove one"
            )
        kept[row] = key not in seen and key not in owner
        utterances += key in owner
        seen[key] = label
    _say(utterances, f"queries {use} are utterances of their route")
    _say(int((~kept).sum()) - utterances, f"queries {use} stand there twice")
    return queries.take(kept)


def _name(label: int, routes: RouteSet) -> str:
    return "no route" if label == NONE else repr(routes.names[label])


def _say(count: int, what: str) -> None:
    if count:
        logger.warning("left out: %d %s", count, what)
