"""Which text serves as what, so that no text is a paraphrase here and a near miss there."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from semantic_router_lora.mining.questions import Questions

if TYPE_CHECKING:
    from numpy.typing import NDArray

Pair = tuple[int, int]

_FREE, _PARAPHRASE, _NEAR_MISS = 0, 1, 2


class Row(NamedTuple):
    """Texts of a triplet, by number, and whether its near miss was labelled as one."""

    anchor: int
    positive: int
    negative: int
    labelled: bool


class Ledger:
    """The rows so far, and what they leave to others.

    Args:
        questions: the texts.
        reuse: whether a text may be a near miss of several groups, and a paraphrase besides. If
            not, then texts of nearly the same words stand in rows of one question only, too: what
            `data check` asks for.

    Attributes:
        rows: in the order in which they were added.
        served: the number of rows of each pair.
    """

    def __init__(self, questions: Questions, reuse: bool) -> None:
        self.rows: list[Row] = []
        self.served: Counter[Pair] = Counter()
        self._group_of = questions.group_of
        self._near = questions.near
        self._reuse = reuse
        self._role = np.zeros(len(questions.texts), dtype=np.int8)
        self._rows_of: dict[int, list[int]] = defaultdict(list)
        self._near_misses_of: dict[int, set[int]] = defaultdict(set)

    def add(self, group: int, pair: Pair, row: Row) -> None:
        """Add a row of this group and pair, the texts of which may stand in either order."""
        self.served[pair] += 1
        self._role[[row.anchor, row.positive]] = _PARAPHRASE
        self._role[row.negative] = _NEAR_MISS
        self._near_misses_of[group].add(row.negative)
        for text in row[:3]:
            if text in self._near:
                self._rows_of[text].append(len(self.rows))
        self.rows.append(row)

    def keep(self, pair: Pair) -> list[int]:
        """Let no row take these texts as near misses; returns those that a row could have."""
        free = [text for text in pair if self._role[text] == _FREE]
        self._role[free] = _PARAPHRASE
        return free

    def release(self, texts: list[int]) -> None:
        """Undo `keep`."""
        self._role[texts] = _FREE

    def may_ask(self, text: int) -> bool:
        """Whether a text can be a paraphrase."""
        return self._reuse or bool(self._role[text] != _NEAR_MISS)

    def pair_is_free(self, pair: Pair) -> bool:
        """Whether both texts can be paraphrases."""
        return all(map(self.may_ask, pair))

    def is_free(self, miss: int, group: int) -> bool:
        """Whether a text of another group can be a near miss of this one."""
        if self._reuse:
            return miss not in self._near_misses_of[group]
        return bool(self._role[miss] == _FREE)

    def free_for(self, group: int) -> NDArray[np.bool_]:
        """Bool (texts,): which texts can be near misses of this group."""
        free: NDArray[np.bool_] = self._group_of != group
        if not self._reuse:
            free &= self._role == _FREE
        elif self._near_misses_of[group]:
            free[list(self._near_misses_of[group])] = False
        return free

    def stands_alone(self, *texts: int) -> bool:
        """Whether texts that nearly repeat those of a row stand only in rows of its question.

        Args:
            texts: anchor, positive, and negative if there is one.
        """
        if self._reuse:
            return True
        asked = set(texts[:2])
        return all(
            asked & {self.rows[number].anchor, self.rows[number].positive}
            for text in texts
            for other in self._near.get(text, ())
            if other not in texts
            for number in self._rows_of.get(other, ())
        )
