"""From a query, its paraphrases and its near misses to triplets."""

from __future__ import annotations

import itertools

from semantic_router_lora.data.triplets import Triplet
from semantic_router_lora.generation.answers import Answer
from semantic_router_lora.generation.filters.candidate import Candidate, Removed
from semantic_router_lora.generation.queries import query_key

NO_PAIR = "no_pair"
UNREADABLE = "unreadable"


def candidate_of(query: str, answer: Answer) -> tuple[Candidate, list[Removed]]:
    """What the filters take of an answer, and what stands in it that is no text to use."""
    unread = [Removed(UNREADABLE, kind, text, query, why) for kind, text, why in answer.unread]
    return Candidate(query, answer.paraphrases, answer.negatives), unread


def triplets_of(
    candidate: Candidate, domain: str, source: str
) -> tuple[list[Triplet], list[Removed]]:
    """One triplet for each near miss, each with two wordings that no other has.

    Pairs with the query itself come first, then pairs of paraphrases. All rows of a query are of
    one group, so that a split keeps them together and a batch takes none for another's negative.

    Returns:
        The triplets, and the near misses for which no pair was left.
    """
    wordings = (candidate.query, *candidate.paraphrases)
    pairs = list(itertools.combinations(wordings, 2))
    group = query_key(candidate.query)
    triplets = [
        Triplet(anchor, positive, negative, domain=domain, source=source, group=group, trap=trap)
        for (anchor, positive), (trap, negative) in zip(pairs, candidate.negatives, strict=False)
    ]
    unused = [
        Removed(NO_PAIR, "negative", text, candidate.query, f"only {len(pairs)} pairs of wordings")
        for _, text in candidate.negatives[len(pairs) :]
    ]
    return triplets, unused
