"""The distinct texts to mine, and what is known of which ask the same."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from semantic_router_lora.data.check import NEAR_IDENTICAL
from semantic_router_lora.data.words import near_pairs, plain
from semantic_router_lora.errors import DataError
from semantic_router_lora.mining.tally import Tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEAR_PARAPHRASE = "both with nearly the same words"


@dataclass(frozen=True)
class Questions:
    """Distinct texts in groups of equivalent ones.

    Attributes:
        texts: no two are equal but for case, spaces and final punctuation.
        group_of: int (texts,), the group of each text.
        names: of the groups.
        near: for a text, those of nearly the same words.
        pairs: for a group, its labelled pairs of paraphrases; None if all pairs of a group are.
        near_misses: for a text, those labelled as different from it.
        read: what became of all that was read.
        pairs_left_out: why labelled pairs of paraphrases are not among the pairs.
        near_misses_left_out: why labelled near misses are not among the near misses.
    """

    texts: list[str]
    group_of: NDArray[np.intp]
    names: list[str]
    near: dict[int, set[int]]
    read: Tally
    pairs: dict[int, list[tuple[int, int]]] | None = None
    near_misses: dict[int, list[int]] = field(default_factory=dict)
    pairs_left_out: Counter[str] = field(default_factory=Counter)
    near_misses_left_out: Counter[str] = field(default_factory=Counter)

    def members(self) -> dict[int, list[int]]:
        """The texts of each group that has some."""
        found: dict[int, list[int]] = defaultdict(list)
        for text, group in enumerate(self.group_of.tolist()):
            found[group].append(text)
        return dict(found)


def near_texts(texts: Sequence[str]) -> dict[int, set[int]]:
    """For each text, those that `data check` would report as near-identical to it."""
    near: dict[int, set[int]] = defaultdict(set)
    for earlier, later, _ in near_pairs(texts, NEAR_IDENTICAL):
        near[earlier].add(later)
        near[later].add(earlier)
    return dict(near)


@dataclass
class _Occurrences:
    text: str
    group: int
    count: int = 1
    in_others: bool = False


def of_groups(groups: Mapping[str, Iterable[object]]) -> Questions:
    """Clean groups of equivalent texts.

    Left out and counted are: what is blank or no text; a text that stands in two groups; all but
    the first of texts of one group that are equal, or have nearly the same words.

    Raises:
        DataError: if there is no text, or more than half of the texts stand in two groups.
    """
    read = Tally("texts read")
    found: dict[str, _Occurrences] = {}
    for number, texts in enumerate(groups.values()):
        for text in texts:
            read.total += 1
            key = plain(text) if isinstance(text, str) else ""
            if not key:
                read.parts["blank or no text"] += 1
                continue
            assert isinstance(text, str)
            known = found.setdefault(key, _Occurrences(text, number, count=0))
            known.count += 1
            known.in_others |= known.group != number
    if not found:
        raise DataError("there is no text to mine")
    conflicts = sum(entry.in_others for entry in found.values())
    if 2 * conflicts > len(found):
        raise DataError(
            f"{conflicts} of {len(found)} texts stand in more than one group: "
            f"the groups are no groups of equivalent texts"
        )
    kept = []
    for entry in found.values():
        if entry.in_others:
            read.parts["in more than one group"] += entry.count
        else:
            read.parts["repeated in its group"] += entry.count - 1
            kept.append(entry)
    texts_kept = [entry.text.strip() for entry in kept]
    near = near_texts(texts_kept)
    dropped = _near_repeats([entry.group for entry in kept], near)
    read.parts["nearly repeated in its group"] += len(dropped)
    taken = [position for position in range(len(kept)) if position not in dropped]
    read.parts["taken"] += len(taken)
    number_of = {position: number for number, position in enumerate(taken)}
    return Questions(
        texts=[texts_kept[position] for position in taken],
        group_of=np.array([kept[position].group for position in taken], dtype=np.intp),
        names=list(groups),
        near={
            number_of[position]: {number_of[other] for other in others - dropped}
            for position, others in near.items()
            if position not in dropped
        },
        read=read,
    )


def _near_repeats(groups: Sequence[int], near: Mapping[int, set[int]]) -> set[int]:
    """Texts that nearly repeat an earlier one of their group that stays."""
    dropped: set[int] = set()
    for position in sorted(near):
        for other in near[position]:
            if other < position and other not in dropped and groups[other] == groups[position]:
                dropped.add(position)
    return dropped
