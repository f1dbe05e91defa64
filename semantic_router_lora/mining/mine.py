"""Triplets out of texts of which some are known to ask the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from semantic_router_lora.data.pairs import Pair
from semantic_router_lora.data.triplets import Triplet
from semantic_router_lora.errors import DataError
from semantic_router_lora.mining.counts import count_all
from semantic_router_lora.mining.ledger import Row
from semantic_router_lora.mining.links import Links
from semantic_router_lora.mining.miner import Miner
from semantic_router_lora.mining.options import MiningOptions
from semantic_router_lora.mining.questions import Questions, of_groups
from semantic_router_lora.mining.read import Hit
from semantic_router_lora.mining.tally import Tally

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class TextEncoder(Protocol):
    """What an `Embedder` can do."""

    def encode(self, texts: Sequence[str], *, show_progress: bool = ...) -> NDArray[np.float32]:
        """float32 (texts, dim), rows of unit length."""


@dataclass(frozen=True)
class Mined:
    """Triplets, in the order of their groups, and what became of all that was read."""

    triplets: list[Triplet]
    tallies: list[Tally]


def mine_groups(
    groups: Mapping[str, Iterable[object]],
    embedder: TextEncoder,
    options: MiningOptions | None = None,
) -> Mined:
    """Mine groups of equivalent texts: intents, questions of one answer, utterances of a route.

    Raises:
        DataError: if nothing can be mined; says why.
    """
    return mine(of_groups(groups), embedder, options)


def mine_pairs(
    pairs: Iterable[Pair], embedder: TextEncoder, options: MiningOptions | None = None
) -> Mined:
    """Mine pairs of texts that are labelled as the same question or as different ones.

    Raises:
        DataError: if nothing can be mined; says why.
    """
    return mine(of_pairs(pairs), embedder, options)


def mine_log(
    hits: Iterable[Hit], embedder: TextEncoder, options: MiningOptions | None = None
) -> Mined:
    """Mine a cache log: right hits are paraphrases, wrong ones near misses.

    Raises:
        DataError: if nothing can be mined; says why.
    """
    return mine(of_log(hits), embedder, options)


def of_pairs(pairs: Iterable[Pair]) -> Questions:
    """The texts of labelled pairs, joined to groups by those that are the same."""
    links = Links("pairs read")
    for pair in pairs:
        links.add(pair.first, pair.second, pair.same)
    return links.questions()


def of_log(hits: Iterable[Hit]) -> Questions:
    """The texts of a cache log, joined to groups by the right hits."""
    links = Links("log rows read")
    for hit in hits:
        if hit.cached is None:
            links.skip("misses of the cache")
        elif hit.correct is None:
            links.skip("hits that nobody judged")
        else:
            # what the cache holds is the anchor
            links.add(hit.cached, hit.query, hit.correct)
    return links.questions()


def mine(
    questions: Questions,
    embedder: TextEncoder,
    options: MiningOptions | None = None,
    *,
    show_progress: bool = False,
) -> Mined:
    """Mine texts that are cleaned and grouped.

    Args:
        questions: of `of_groups`, `of_pairs` or `of_log`.
        embedder: decides what is near.
        options: None for the defaults.
        show_progress: draw a progress bar of embedding on standard error.

    Raises:
        DataError: if nothing can be mined; says why.
    """
    options = options or MiningOptions()
    check_minable(questions)
    vectors = embedder.encode(questions.texts, show_progress=show_progress)
    miner = Miner(questions, vectors, options)
    rows = miner.run()
    tallies = count_all(questions, rows, miner.pairs)
    if not rows:
        reasons = "; ".join(
            f"{tally.name}: " + ", ".join(f"{count} {part}" for part, count in tally.parts.items())
            for tally in tallies
            if tally.total
        )
        raise DataError(f"nothing was mined: {reasons}")
    ordered = sorted(rows, key=lambda row: questions.group_of[row.anchor])
    return Mined([_triplet(questions, row, options) for row in ordered], tallies)


def check_minable(questions: Questions) -> None:
    """Refuse what cannot give a row, before anything is embedded.

    Raises:
        DataError: if no two texts ask the same, or all texts do.
    """
    sizes = [len(members) for members in questions.members().values()]
    if max(sizes, default=0) < 2:
        raise DataError("no two texts are known to ask the same: there is no pair of paraphrases")
    if len(sizes) < 2:
        raise DataError("all texts are of one group: there is nothing to take near misses from")


def _triplet(questions: Questions, row: Row, options: MiningOptions) -> Triplet:
    name = questions.names[int(questions.group_of[row.anchor])]
    anchor, positive, negative = (questions.texts[text] for text in row[:3])
    return Triplet(
        anchor,
        positive,
        negative,
        domain=options.domain,
        source=options.source,
        group=f"{options.source}/{name}" if options.source else name,
    )
