"""The routes that are fitted, and what else is known about queries."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.data.triplets import check_unicode, file_rows
from semantic_router_lora.data.words import composed
from semantic_router_lora.errors import DataError

logger = logging.getLogger(__name__)

NONE = -1  # the label of a query that no route is right for
_TEXT_FIELDS = ("query", "text", "utterance", "question")
_ROUTE_FIELDS = ("route", "intent", "label")
_RIGHT, _WRONG = ("1", "true", "yes", "right"), ("0", "false", "no", "wrong")


@dataclass(frozen=True)
class RouteSet:
    """Routes and their utterances.

    Attributes:
        names: of the routes, in their order.
        texts: every utterance once.
        labels: int (utterances,), the number of the route of each.
    """

    names: tuple[str, ...]
    texts: tuple[str, ...]
    labels: NDArray[np.intp]

    @classmethod
    def of(cls, routes: Mapping[str, Sequence[Any]] | Iterable[Any]) -> RouteSet:
        """Routes by name, or semantic-router's own ``Route`` objects of any line.

        Routes without utterances are left out, and an utterance that stands twice in a route counts
        once; both are said in the log.

        Raises:
            DataError: if an utterance is no text or stands in two routes, or if there are not two
                routes with two utterances or more: nothing could be held out.
        """
        named = routes if isinstance(routes, Mapping) else _by_name(routes)
        names: list[str] = []
        texts: list[str] = []
        labels: list[int] = []
        owner: dict[str, str] = {}
        twice = 0
        for name, utterances in named.items():
            if not isinstance(name, str) or not name.strip():
                raise DataError(f"a route's name is {name!r}, expected a text")
            check_unicode(name, "a route's name")
            if isinstance(utterances, str) or not isinstance(utterances, Iterable):
                raise DataError(f"route {name!r}: utterances are {utterances!r}, expected a list")
            found: list[str] = []
            keys: set[str] = set()
            for text in utterances:
                if not isinstance(text, str) or not text.strip():
                    raise DataError(f"route {name!r}: an utterance is {text!r}, expected a text")
                check_unicode(text, f"route {name!r}: an utterance")
                key = text_key(text)
                if owner.setdefault(key, name) != name:
                    raise DataError(
                        f"{text!r} is an utterance of {owner[key]!r} and of {name!r}: a query can "
                        f"be sent to one of them only; remove one"
                    )
                if key in keys:
                    twice += 1
                else:
                    keys.add(key)
                    found.append(text)
            if not found:
                logger.warning("route %r has no utterances and is left out", name)
                continue
            labels += [len(names)] * len(found)
            names.append(name)
            texts += found
        if twice:
            logger.warning("%d utterances stand twice in their route and count once", twice)
        counts = np.bincount(np.array(labels, np.intp), minlength=2)
        if (counts >= 2).sum() < 2:
            raise DataError(
                f"{len(names)} routes with {len(texts)} utterances: at least two routes need two "
                f"utterances or more, to be told apart and to hold one out"
            )
        return cls(tuple(names), tuple(texts), np.array(labels, np.intp))


@dataclass(frozen=True)
class Queries:
    """Queries with what they should be routed to.

    Attributes:
        texts: the queries.
        labels: int (queries,), the number of the right route of each, or `NONE`.
        refused: (query, route number) of decisions that were marked wrong.
    """

    texts: tuple[str, ...] = ()
    labels: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    refused: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str | None]], routes: RouteSet) -> Queries:
        """Queries with the name of their route, or None.

        Raises:
            DataError: on a text that is none, or a route that there is not.
        """
        numbers = {name: number for number, name in enumerate(routes.names)}
        texts, labels = [], []
        for pair in pairs:
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise DataError(f"expected a query with the name of its route, got {pair!r}")
            text, name = pair
            if not isinstance(text, str) or not text.strip():
                raise DataError(f"a query is {text!r}, expected a text")
            check_unicode(text, "a query")
            if name is not None and name not in numbers:
                raise DataError(f"query {text!r} belongs to {name!r}, and there is no such route")
            texts.append(text)
            labels.append(NONE if name is None else numbers[name])
        return cls(tuple(texts), np.array(labels, np.intp))

    def __add__(self, other: Queries) -> Queries:
        return Queries(
            self.texts + other.texts,
            np.concatenate([self.labels, other.labels]),
            self.refused + other.refused,
        )

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Queries:
        """Some of the queries, by their numbers or a mask, and all that was refused."""
        numbers = np.arange(len(self.texts))[rows]
        return Queries(tuple(self.texts[row] for row in numbers), self.labels[rows], self.refused)

    def without_refused(self, keys: Set[str]) -> Queries:
        """The same queries, and of the refused ones those whose `text_key` is not among these."""
        refused = tuple(
            (text, number) for text, number in self.refused if text_key(text) not in keys
        )
        return Queries(self.texts, self.labels, refused)


def read_queries(path: Path, routes: RouteSet) -> Queries:
    """Read queries from .jsonl, .csv or .parquet.

    A row holds a text (``query``, ``text``, ``utterance`` or ``question``) and the name of its
    route (``route``, ``intent`` or ``label``; null, empty or ``none`` if no route is right). A row
    of a log holds ``correct``, too: of a decision that was wrong, only that is known.

    Raises:
        DataError: if the file cannot be used, with the row.
        MissingExtraError: for Parquet without pyarrow.
    """
    pairs: list[tuple[str, str | None]] = []
    refused = []
    numbers = {name: number for number, name in enumerate(routes.names)}
    for number, row in file_rows(path):
        where = f"{path}:{number}"
        text = _text_of(row, where)
        route = next((row[name] for name in _ROUTE_FIELDS if name in row), None)
        name = None if route in (None, "") else str(route)
        if name not in numbers and str(name).lower() == "none":
            name = None
        if name is not None and name not in numbers:
            raise DataError(f"{where}: there is no route {name!r}")
        judged = str(row.get("correct", "")).lower()
        if judged not in ("", "none", *_RIGHT, *_WRONG):
            raise DataError(f"{where}: field 'correct' is {row['correct']!r}")
        if judged not in _WRONG:
            pairs.append((text, name))
        elif name is not None:
            refused.append((text, numbers[name]))
    if not pairs and not refused:
        raise DataError(f"{path}: holds no queries")
    return Queries.of(pairs, routes) + Queries(refused=tuple(refused))


def read_out_of_scope(path: Path) -> Queries:
    """Read queries that no route is right for: a text a line, or rows as `read_queries` reads them.

    Raises:
        DataError: if the file cannot be used.
    """
    if path.suffix == ".txt":
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read: {error}") from error
        texts = [line.strip() for line in lines if line.strip()]
    else:
        texts = []
        for number, row in file_rows(path):
            texts.append(_text_of(row, f"{path}:{number}"))
    if not texts:
        raise DataError(f"{path}: holds no queries")
    return Queries(tuple(texts), np.full(len(texts), NONE, np.intp))


def _text_of(row: object, where: str) -> str:
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected an object, got {type(row).__name__}")
    text = next((row[name] for name in _TEXT_FIELDS if name in row), None)
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"{where}: no field of {', '.join(_TEXT_FIELDS)} holds a text")
    check_unicode(text, where)
    return text


def text_key(text: str) -> str:
    """What equal texts have in common, whatever their case, spaces and forms of characters."""
    return " ".join(composed(text).casefold().split())


def _by_name(routes: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for route in routes:
        name, utterances = getattr(route, "name", None), getattr(route, "utterances", None)
        if not isinstance(name, str) or not isinstance(utterances, (list, tuple)):
            raise DataError(f"expected routes with a name and utterances, got {route!r}")
        found.setdefault(name, []).extend(utterances)
    return found
