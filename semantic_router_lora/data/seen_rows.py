"""What `merge_files` remembers of the rows that it took."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from semantic_router_lora.data.seen import DiskTables, digest
from semantic_router_lora.data.words import composed, words

PARAPHRASE, NEGATIVE = 0, 1
NO_GROUP = 0

# The sizes from which word sets that differ so have a Jaccard similarity of nine tenths.
_ONE_WORD_MORE = 10  # 9 shared of 10
_ONE_WORD_EXCHANGED = 19  # 18 shared of 20
_WORD_LEFT_OUT = digest("one word left out")  # tells a set less a word from a whole one
_RANGE = 1 << 64
_VARIABLES = 500  # what every SQLite takes in one statement


class SeenRows(DiskTables):
    """Digests of texts with their label and group, of pairs, and of sets of words."""

    tables = """
    CREATE TABLE text (digest INTEGER PRIMARY KEY, label INTEGER, owner INTEGER);
    CREATE TABLE pair (digest INTEGER PRIMARY KEY, negative INTEGER);
    CREATE TABLE word_set (digest INTEGER, owner INTEGER, PRIMARY KEY (digest, owner))
        WITHOUT ROWID;
    """

    def texts(self, digests: Iterable[int]) -> dict[int, tuple[int, int]]:
        """Those of the texts that were seen: whether `PARAPHRASE` or `NEGATIVE`, and the group."""
        query = "SELECT digest, label, owner FROM text WHERE digest IN ({})"
        return {found: (label, owner) for found, label, owner in self._in(query, digests)}

    def add_texts(self, texts: Iterable[tuple[int, int, int]]) -> None:
        """Add texts as (digest, label, group); what is known of a text seen before stays."""
        self._database.executemany("INSERT OR IGNORE INTO text VALUES (?, ?, ?)", texts)

    def negative_of(self, pair: int) -> int | None:
        """Digest of the negative that a pair of paraphrases was first seen with, if it was."""
        row = self._database.execute("SELECT negative FROM pair WHERE digest = ?", (pair,))
        found: tuple[int] | None = row.fetchone()
        return None if found is None else found[0]

    def add_pair(self, pair: int, negative: int) -> None:
        """Add a pair of paraphrases with its negative."""
        self._database.execute("INSERT OR IGNORE INTO pair VALUES (?, ?)", (pair, negative))

    def holds_near(self, word_sets: Iterable[WordSet], owner: int) -> bool:
        """Whether a text outside of the group has nearly the words of one of these."""
        query = "SELECT owner FROM word_set WHERE digest IN ({})"
        wanted = (number for word_set in word_sets for number in word_set.wanted())
        return any(found == NO_GROUP or found != owner for (found,) in self._in(query, wanted))

    def add_word_sets(self, word_sets: Iterable[WordSet], owner: int) -> None:
        """Add texts, so that `holds_near` finds them."""
        self._database.executemany(
            "INSERT OR IGNORE INTO word_set VALUES (?, ?)",
            ((number, owner) for word_set in word_sets for number in word_set.kept()),
        )

    def _in(self, query: str, digests: Iterable[int]) -> Iterator[tuple[int, ...]]:
        values = list(digests)
        for start in range(0, len(values), _VARIABLES):
            part = values[start : start + _VARIABLES]
            yield from self._database.execute(query.format(",".join("?" * len(part))), part)


class WordSet:
    """The different words of a text, as digests by which nearly equal sets meet.

    A set's digest is the sum of those of its words, modulo 2^64, so that the digest of the set
    less one word is a subtraction. Two sets are found if they are equal; if one has one word more,
    from ten words on; or if one word is exchanged, from nineteen on: these have a Jaccard
    similarity of at least 0.9. Longer sets have it even if they differ by more, and those are not
    found.
    """

    def __init__(self, text: str) -> None:
        digests = [_word_digest(word) for word in set(words(composed(text)))]
        self._size = len(digests)
        self._whole = sum(digests)
        self._less_one = [self._whole - each for each in digests]

    def kept(self) -> Iterator[int]:
        """Digests to keep of a text, so that later ones find it."""
        if self._size:
            yield _signed(self._whole)
        if self._size >= _ONE_WORD_MORE:
            yield from (_signed(less + _WORD_LEFT_OUT) for less in self._less_one)

    def wanted(self) -> Iterator[int]:
        """Digests of which an earlier, nearly equal text has kept at least one."""
        if self._size:
            yield _signed(self._whole)
        if self._size >= _ONE_WORD_MORE - 1:
            yield _signed(self._whole + _WORD_LEFT_OUT)
        if self._size >= _ONE_WORD_MORE:
            yield from map(_signed, self._less_one)
        if self._size >= _ONE_WORD_EXCHANGED:
            yield from (_signed(less + _WORD_LEFT_OUT) for less in self._less_one)


@lru_cache(maxsize=100_000)
def _word_digest(word: str) -> int:
    return digest(word)


def _signed(number: int) -> int:
    return number % _RANGE - _RANGE // 2
