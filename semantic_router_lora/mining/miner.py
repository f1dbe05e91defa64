"""Chooses pairs of paraphrases and near misses of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from semantic_router_lora.mining.ledger import Ledger, Pair, Row
from semantic_router_lora.mining.options import MiningOptions
from semantic_router_lora.mining.questions import Questions

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Similarities held at a time: 64 MiB of float32.
_SIMILARITIES = 2**24
_MOST_PAIRS = 1024

_WITH_NEAR_MISS = "with a near miss"
_BEYOND = "beyond the most of a group"
_TAKEN = "one of them serves as a near miss"
_NEAR_OTHERS = "nearly repeat texts of other rows"
_NO_TEXT = "no other text is left"
_NO_MATCH = "no text left is within margins and scores"


class Miner:
    """Chooses rows greedily: each pair takes the most similar text that is still allowed.

    Args:
        questions: the texts, n of them.
        vectors: float32 (n, dim), rows of unit length.
        options: of the mining.

    Attributes:
        pairs: how many pairs of paraphrases ended in which way.
    """

    def __init__(
        self, questions: Questions, vectors: NDArray[np.float32], options: MiningOptions
    ) -> None:
        self.pairs: Counter[str] = Counter()
        self._questions = questions
        self._vectors = vectors
        self._options = options
        self._members = questions.members()
        self._random = random.Random(options.seed)
        self._ledger = Ledger(questions, options.reuse)
        self._tried: Counter[int] = Counter()

    def run(self) -> list[Row]:
        """Give pairs their labelled near misses first, then let the others find theirs."""
        order = [group for group, members in self._members.items() if len(members) > 1]
        self._random.shuffle(order)
        labelled = self._questions.pairs
        if labelled is None:
            self._mine(order, {group: self._draw(group) for group in order})
            return self._ledger.rows
        lists = {
            group: self._random.sample(labelled[group], len(labelled[group]))
            for group in order
            if group in labelled
        }
        for own in (True, False):
            for group, pairs in lists.items():
                self._take_labelled(group, pairs, own)
        self._mine(list(lists), {group: self._unserved(pairs) for group, pairs in lists.items()})
        self.pairs[_BEYOND] += sum(map(len, labelled.values())) - self.pairs.total()
        return self._ledger.rows

    def _draw(self, group: int) -> Iterator[Pair]:
        members = self._members[group]
        return drawn_pairs(self._random.sample(members, len(members)), self._ledger.may_ask)

    def _unserved(self, pairs: list[Pair]) -> Iterator[Pair]:
        return (pair for pair in pairs if self._ledger.served[pair] < self._options.negatives)

    def _take_labelled(self, group: int, pairs: list[Pair], own: bool) -> None:
        """Labelled near misses of the pair's own texts, or of any text of the group."""
        known = self._questions.near_misses
        ledger = self._ledger
        pool = [miss for text in self._members[group] for miss in known.get(text, ())]
        for pair in pairs:
            if not pool or self._tried[group] >= self._options.max_pairs_per_group:
                return
            if ledger.served[pair] == self._options.negatives or not ledger.pair_is_free(pair):
                continue
            if own:
                options = [
                    (text, other, miss)
                    for text, other in (pair, pair[::-1])
                    for miss in known.get(text, ())
                ]
                # a near miss that has no paraphrase itself is of no other use
                options.sort(key=lambda option: self._has_paraphrases(option[2]))
            else:
                pool = [miss for miss in pool if ledger.is_free(miss, group)]
                options = [(*pair, miss) for miss in pool]
            for texts in options:
                if ledger.served[pair] == self._options.negatives:
                    break
                if ledger.is_free(texts[2], group) and ledger.stands_alone(*texts):
                    self._add(group, pair, Row(*texts, labelled=True))

    def _mine(self, order: list[int], drawn: dict[int, Iterator[Pair]]) -> None:
        """One pair of each group in turn, so that no group takes the near misses of the others."""
        size = max(1, min(_MOST_PAIRS, _SIMILARITIES // max(1, len(self._vectors))))
        kept: dict[Pair, list[int]] | None = None
        while order:
            turn = []
            for group in order:
                if self._tried[group] < self._options.max_pairs_per_group:
                    pair = next(drawn[group], None)
                    if pair is not None:
                        turn.append((group, pair))
            kept = self._keep_first(turn) if kept is None else {}
            for start in range(0, len(turn), size):
                part = turn[start : start + size]
                similarities = self._vectors[[pair[0] for _, pair in part]] @ self._vectors.T
                for (group, pair), values in zip(part, similarities, strict=True):
                    reason = self._mine_pair(group, pair, values)
                    if not self._ledger.served[pair]:
                        self._ledger.release(kept.get(pair, []))
                        self.pairs[reason] += 1
                        self._tried[group] += reason != _TAKEN
            order = [group for group, _ in turn]

    def _keep_first(self, turn: list[tuple[int, Pair]]) -> dict[Pair, list[int]]:
        """Let other groups leave each group its first pair, if it has more texts than that.

        Returns:
            The texts that are kept for each pair.
        """
        return {
            pair: self._ledger.keep(pair)
            for group, pair in turn
            if len(self._members[group]) > 2 and self._ledger.pair_is_free(pair)
        }

    def _mine_pair(self, group: int, pair: Pair, values: NDArray[np.float32]) -> str:
        """Add the nearest allowed texts as near misses; say why there is none, or no more.

        Args:
            group: of the pair.
            pair: anchor and positive.
            values: float32 (n,), similarity of every text to the anchor.
        """
        if not self._ledger.pair_is_free(pair):
            return _TAKEN
        if not self._ledger.stands_alone(*pair):
            return _NEAR_OTHERS
        free = self._ledger.free_for(group)
        highest = self._options.highest(float(values[pair[1]]))
        allowed = free & (values <= highest) & (values >= self._options.lowest)
        scores = np.where(allowed, values, -np.inf)
        while self._ledger.served[pair] < self._options.negatives:
            best = int(scores.argmax())
            if scores[best] == -np.inf:
                break
            scores[best] = -np.inf
            if self._ledger.stands_alone(*pair, best):
                self._add(group, pair, Row(*pair, negative=best, labelled=False))
        return _NO_MATCH if free.any() else _NO_TEXT

    def _add(self, group: int, pair: Pair, row: Row) -> None:
        if not self._ledger.served[pair]:
            self._tried[group] += 1
            self.pairs[_WITH_NEAR_MISS] += 1
        self._ledger.add(group, pair, row)

    def _has_paraphrases(self, text: int) -> bool:
        return len(self._members[int(self._questions.group_of[text])]) > 1


def drawn_pairs(texts: list[int], may_ask: Callable[[int], bool]) -> Iterator[Pair]:
    """All pairs of those texts that can be paraphrases when their turn comes.

    First each text with the one before it, so that few texts are tied up early on and every text
    has its place; then those further apart.
    """
    chain: list[int] = []
    for text in texts:
        while chain and not may_ask(chain[-1]):
            chain.pop()
        if not may_ask(text):
            continue
        if chain:
            yield chain[-1], text
        chain.append(text)
    for distance in range(2, len(chain)):
        for first, second in zip(chain, chain[distance:], strict=False):
            if may_ask(first) and may_ask(second):
                yield first, second
