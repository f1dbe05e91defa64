"""Nearest texts by shared words.

Not by the base model, which would rank negatives by the very judgement that training is to change.
Only whole numbers are added, so the order is the same on every machine.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

# Words in more texts than this do not bring up candidates; they still count in the score.
_COMMON = 400


class Nearest:
    """Ranks sets of words by weighted Jaccard; the rarer a word, the more it weighs."""

    def __init__(self, documents: Sequence[frozenset[str]]) -> None:
        self._documents = documents
        frequency = Counter(word for document in documents for word in document)
        # inverse document frequency in whole bits
        self._weight = {
            word: (len(documents) // count).bit_length() for word, count in frequency.items()
        }
        self._unknown = max(1, len(documents).bit_length())
        self._sums = [sum(self._weight[word] for word in document) for document in documents]
        self._index: dict[str, list[int]] = defaultdict(list)
        for number, document in enumerate(documents):
            for word in document:
                if frequency[word] <= max(_COMMON, len(documents) // 100):
                    self._index[word].append(number)

    def weight(self, word: str) -> int:
        """Bits of rarity."""
        return self._weight.get(word, self._unknown)

    def search(self, query: frozenset[str], floor: float = 0.0) -> list[tuple[float, int]]:
        """(similarity, number) of the documents at least that similar, nearest first."""
        candidates = {number for word in query for number in self._index.get(word, ())}
        total = sum(map(self.weight, query))
        found = []
        for number in candidates:
            shared = sum(self._weight[word] for word in query & self._documents[number])
            similarity = shared / max(1, total + self._sums[number] - shared)
            if similarity >= floor:
                found.append((similarity, number))
        return sorted(found, key=lambda item: (-item[0], item[1]))
