"""What is wrong with files of triplets."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from semantic_router_lora.data.statistics import FileStatistics as FileStatistics
from semantic_router_lora.data.statistics import file_statistics as file_statistics
from semantic_router_lora.data.triplets import LABELS, Triplet, read_triplets
from semantic_router_lora.data.words import composed, near_pairs, plain

NEAR_IDENTICAL = 0.9


@dataclass
class CheckReport:
    """Problems that make files unfit, and the statistics of each file.

    Attributes:
        duplicates: texts that stand twice in a file.
        leaks: texts that stand in two files.
        near_identical: texts of different rows that share nearly all words.
        near_leaks: those of them that are in two files.
        statistics: figures of each file.
    """

    duplicates: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    near_identical: list[str] = field(default_factory=list)
    near_leaks: list[str] = field(default_factory=list)
    statistics: dict[str, FileStatistics] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether there is no duplicate, no leak and no near-identical pair."""
        return not (self.duplicates or self.leaks or self.near_identical)


@dataclass(frozen=True)
class _Text:
    file: str
    row: int
    label: str
    text: str
    family: tuple[str, str, int]

    @property
    def asks_the_same(self) -> bool:
        """Whether it is one of the paraphrases of its row."""
        return self.label != "negative"

    @property
    def place(self) -> str:
        return f"{self.file}:{self.row} {self.label}"


def check_files(paths: Sequence[Path]) -> CheckReport:
    """Check files of triplets, each for itself and against the others.

    A problem is a text that stands twice in a file (duplicate) or in two files (leak), but for
    what `plain` leaves out; or two texts of different rows that share nine tenths of their words
    (near-identical; of texts that stand in several rows each, one pair of places is named). An
    anchor and its own negative may be that close: a trap can hang on one word.

    Rows of one ``group`` that share an anchor or a positive are a family: several paraphrases of
    one question with several near misses. In it a paraphrase may stand in several rows, and texts
    may be near-identical, but no two rows may hold the same pair.

    Raises:
        DataError: if a file cannot be read.
    """
    report = CheckReport()
    texts: list[_Text] = []
    for path in paths:
        triplets = read_triplets(path)
        report.statistics[str(path)] = file_statistics(triplets)
        _equal_pairs(report, path, triplets)
        families = _families(triplets)
        for row, triplet in enumerate(triplets, start=1):
            family = (str(path), triplet.group or "", families[row - 1])
            for label, text in zip(LABELS, triplet.texts, strict=True):
                texts.append(_Text(str(path), row, label, text, family))
    _near_texts(report, _equal_texts(report, texts))
    return report


def _families(triplets: Sequence[Triplet]) -> list[int]:
    """A number for each row, equal for the rows of a family."""
    numbers = list(range(len(triplets)))
    first_with: dict[tuple[str, str], int] = {}

    def root(row: int) -> int:
        while numbers[row] != row:
            row = numbers[row]
        return row

    for row, triplet in enumerate(triplets):
        if triplet.group:
            for text in triplet.texts[:2]:
                first = first_with.setdefault((triplet.group, plain(text)), row)
                numbers[root(row)] = root(first)
    return [root(row) for row in range(len(triplets))]


def _equal_texts(report: CheckReport, texts: list[_Text]) -> list[list[_Text]]:
    """For each distinct text its first place in every family, as a paraphrase and as a negative."""
    places: dict[str, list[_Text]] = defaultdict(list)
    for text in texts:
        places[plain(text.text)].append(text)
    found = []
    for equal in places.values():
        first_of: dict[tuple[tuple[str, str, int], bool], _Text] = {}
        previous: list[_Text] = []
        for other in equal:
            # The previous one may be of the same row. Any other before that may not stand beside
            # this one is of a kind that has a first: one text of a thousand rows takes no long.
            earlier = itertools.chain(first_of.values(), previous)
            first = next((one for one in earlier if not _one_question(one, other)), None)
            if first is not None:
                line = f"{first.place} = {other.place}: {other.text!r}"
                (report.duplicates if first.file == other.file else report.leaks).append(line)
            first_of.setdefault((other.family, other.asks_the_same), other)
            previous = [other]
        found.append(list(first_of.values()))
    return found


def _one_question(first: _Text, other: _Text) -> bool:
    """Whether a text may stand in both places: as a paraphrase in two rows of a family."""
    return (
        first.family == other.family
        and first.row != other.row
        and first.asks_the_same
        and other.asks_the_same
    )


def _equal_pairs(report: CheckReport, path: Path, triplets: Sequence[Triplet]) -> None:
    """Rows that hold the same two paraphrases, in whichever order."""
    seen: dict[frozenset[str], int] = {}
    for row, triplet in enumerate(triplets, start=1):
        first = seen.setdefault(frozenset(map(plain, triplet.texts[:2])), row)
        if first != row and triplet.group and triplet.group == triplets[first - 1].group:
            report.duplicates.append(f"{path}:{first} = {path}:{row}: {triplet.anchor!r}")


def _near_texts(report: CheckReport, distinct: list[list[_Text]]) -> None:
    """Near-identical texts outside of a family, each pair of texts once; a leak if it is one."""
    texts = [composed(places[0].text) for places in distinct]
    for earlier, later, similarity in near_pairs(texts, NEAR_IDENTICAL):
        apart = [
            (first, other)
            for first in _apart(distinct[earlier])
            for other in _apart(distinct[later])
            if first.family != other.family
        ]
        if apart:
            first, other = next((two for two in apart if two[0].file != two[1].file), apart[0])
            places = f"{first.place} ≈ {other.place} ({similarity:.2f})"
            line = f"{places}: {first.text!r} / {other.text!r}"
            report.near_identical.append(line)
            if first.file != other.file:
                report.near_leaks.append(line)


def _apart(places: list[_Text]) -> list[_Text]:
    """The first place of a text, its first in another family, and its first in another file.

    If any places of two texts are in two families, or in two files, then some of these are.
    """
    first = places[0]
    elsewhere = (
        next((place for place in places if place.family != first.family), None),
        next((place for place in places if place.file != first.file), None),
    )
    return [first, *(place for place in elsewhere if place is not None)]
