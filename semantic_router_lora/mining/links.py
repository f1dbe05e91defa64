"""Groups of texts out of pairs that are labelled as the same question or as different ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np

from semantic_router_lora.data.words import plain
from semantic_router_lora.errors import DataError
from semantic_router_lora.mining.questions import NEAR_PARAPHRASE, Questions, near_texts
from semantic_router_lora.mining.tally import Tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Edge = tuple[int, int]


class Links:
    """Collects labelled pairs of texts.

    Args:
        name: what the pairs are called in the counts.
    """

    def __init__(self, name: str) -> None:
        self._read = Tally(name)
        self._texts: list[str] = []
        self._numbers: dict[str, int] = {}
        # how often each pair was read, the text that was read first in front
        self._same: Counter[_Edge] = Counter()
        self._different: Counter[_Edge] = Counter()

    def skip(self, reason: str) -> None:
        """Count a row that says nothing."""
        self._read.total += 1
        self._read.parts[reason] += 1

    def add(self, first: str, second: str, same: bool) -> None:
        """Add a pair, and whether one answer serves both texts."""
        keys = (plain(first), plain(second))
        if not all(keys):
            self.skip("with a blank text")
        elif keys[0] == keys[1]:
            self.skip("a text with itself")
        else:
            self._read.total += 1
            edge = (self._number(keys[0], first), self._number(keys[1], second))
            edges = self._same if same else self._different
            edges[edge if edge[::-1] not in edges else edge[::-1]] += 1

    def _number(self, key: str, text: str) -> int:
        number = self._numbers.setdefault(key, len(self._texts))
        if number == len(self._texts):
            self._texts.append(text.strip())
        return number

    def questions(self) -> Questions:
        """The texts, with those that the pairs join, directly or through others, in one group.

        Raises:
            DataError: if there is no pair, or more than half of the distinct pairs contradict
                others.
        """
        if not self._texts:
            raise DataError("there is no pair of texts to mine")
        both = {edge for edge in self._different if edge in self._same or edge[::-1] in self._same}
        both |= {edge[::-1] for edge in both}
        same = self._distinct(self._same, both, "labelled as the same")
        different = self._distinct(self._different, both, "labelled as different")
        group_of = self._groups(same)
        crossing = [edge for edge in different if group_of[edge[0]] != group_of[edge[1]]]
        contradicted = len(different) - len(crossing)
        distinct = len(same) + len(different) + len(both) // 2
        if 2 * (contradicted + len(both) // 2) > distinct:
            raise DataError(
                f"{contradicted + len(both) // 2} of {distinct} pairs contradict others: "
                f"what is labelled as different is labelled as the same, directly or in between"
            )
        near = near_texts(self._texts)
        pairs: dict[int, list[_Edge]] = defaultdict(list)
        for first, second in same:
            if second not in near.get(first, ()):
                pairs[int(group_of[first])].append((first, second))
        near_misses: dict[int, list[int]] = defaultdict(list)
        for first, second in crossing:
            near_misses[first].append(second)
            near_misses[second].append(first)
        left_out = len(same) - sum(map(len, pairs.values()))
        return Questions(
            texts=self._texts,
            group_of=group_of,
            names=[str(number) for number in range(1, int(group_of.max()) + 2)],
            near=near,
            read=self._read,
            pairs=dict(pairs),
            near_misses=dict(near_misses),
            pairs_left_out=Counter({NEAR_PARAPHRASE: left_out}),
            near_misses_left_out=Counter({"contradicted by paraphrases": contradicted}),
        )

    def _distinct(self, edges: Counter[_Edge], both: set[_Edge], part: str) -> list[_Edge]:
        """The edges that are not labelled both ways; counts what was read."""
        kept = [edge for edge in edges if edge not in both]
        self._read.parts["labelled both ways"] += sum(edges[edge] for edge in edges if edge in both)
        self._read.parts["repeated"] += sum(edges[edge] - 1 for edge in kept)
        self._read.parts[part] += len(kept)
        return kept

    def _groups(self, same: list[_Edge]) -> NDArray[np.intp]:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        size = len(self._texts)
        ends = np.array(same, dtype=np.intp).reshape(-1, 2)
        graph = coo_array((np.ones(len(ends), dtype=bool), (ends[:, 0], ends[:, 1])), (size, size))
        _, labels = connected_components(graph, directed=False)
        return np.asarray(labels, dtype=np.intp)
