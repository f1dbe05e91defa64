"""The rows of one source as they are made, and why the others were not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from prepare.texts import fault, normal
from semantic_router_lora.benchmark.suite import DOMAINS, GENERAL, SPLITS, bundled_file
from semantic_router_lora.data.check import NEAR_IDENTICAL
from semantic_router_lora.data.triplets import Triplet, read_triplets
from semantic_router_lora.data.words import jaccard, near_pairs, words

# An anchor and a positive that share more of their words teach nothing.
NEAR_COPY = 0.7


def suite_texts() -> list[str]:
    """Every text of the bundled suites, test and dev."""
    return [
        text
        for domain in (*DOMAINS, GENERAL)
        for split in SPLITS
        for triplet in read_triplets(bundled_file(domain, split))
        for text in triplet.texts
    ]


class Rows:
    """Collects rows; every unit that a source reads ends as one row or as one drop.

    Attributes:
        read: units read: what a unit is, is the source's to say.
        kept: rows so far.
        dropped: units that became no row, by reason.
    """

    def __init__(self, source: str, forbidden: Iterable[str] = ()) -> None:
        self.source = source
        self.read = 0
        self.kept: list[Triplet] = []
        self.dropped: Counter[str] = Counter()
        self._forbidden = list(forbidden)
        self._suites = {normal(text) for text in self._forbidden}
        self._taken: set[str] = set()

    def drop(self, reason: str, count: int = 1) -> None:
        """Count units that become no row."""
        if count:
            self.dropped[reason] += count

    def fault(self, *texts: str) -> str | None:
        """Why one of the texts cannot stand in a row, or None."""
        for text in texts:
            if reason := fault(text):
                return reason
            if normal(text) in self._suites:
                return "text in a bundled suite"
        return None

    def free(self, text: str) -> bool:
        """Whether a text may stand in a row and stands in none yet."""
        return normal(text) not in self._taken and self.fault(text) is None

    def pair_fault(self, anchor: str, positive: str) -> str | None:
        """Why two texts cannot be anchor and positive of one row, or None."""
        if reason := self.fault(anchor, positive):
            return reason
        if not (self.free(anchor) and self.free(positive)):
            return "text stands in another row"
        if jaccard(frozenset(words(anchor)), frozenset(words(positive))) > NEAR_COPY:
            return "positive nearly a copy of the anchor"
        return None

    def reserve(self, *texts: str) -> None:
        """Keep texts from being chosen as a negative of another row."""
        self._taken.update(map(normal, texts))

    def unreserve(self, *texts: str) -> None:
        """Free texts for the row that they were reserved for."""
        self._taken.difference_update(map(normal, texts))

    def add(self, anchor: str, positive: str, negative: str, **about: str | None) -> bool:
        """Keep a row, or count why it is dropped."""
        reason = self.pair_fault(anchor, positive) or self.fault(negative)
        if reason is None and len({*map(normal, (anchor, positive, negative))}) < 3:
            reason = "negative equals anchor or positive"
        if reason is None and not self.free(negative):
            reason = "text stands in another row"
        if reason is not None:
            self.drop(reason)
            return False
        self.reserve(anchor, positive, negative)
        self.kept.append(Triplet(anchor, positive, negative, source=self.source, **about))
        return True

    def finish(self) -> list[Triplet]:
        """The rows in their final order, without those nearly equal to a row or a suite."""
        self.kept.sort(key=lambda row: (row.domain or "", row.group or "", row.texts))
        self._drop_near_copies()
        if self.read != len(self.kept) + self.dropped.total():
            raise AssertionError(
                f"{self.source}: read {self.read}, kept {len(self.kept)}, "
                f"dropped {self.dropped.total()}"
            )
        return self.kept

    def _drop_near_copies(self) -> None:
        texts = [*self._forbidden, *(text for row in self.kept for text in row.texts)]
        first = len(self._forbidden)
        gone: set[int] = set()
        for earlier, later, _ in near_pairs(texts, NEAR_IDENTICAL):
            if later < first:
                continue
            row, other = (later - first) // 3, (earlier - first) // 3
            if earlier < first:
                if row not in gone:
                    self.drop("nearly a text of a bundled suite")
                gone.add(row)
            elif row != other and not {row, other} & gone:
                self.drop("nearly a text of another row")
                gone.add(row)
        self.kept = [row for number, row in enumerate(self.kept) if number not in gone]
