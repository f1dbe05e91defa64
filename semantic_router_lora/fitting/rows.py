"""Training rows from routes."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.errors import DataError
from semantic_router_lora.fitting.routes import NONE, Queries, RouteSet, text_key
from semantic_router_lora.training.examples import Example

BATCH = 64  # rows
# Texts that a training sees: enough for small sets of routes, and minutes for large ones.
_LEAST_TEXTS, _MOST_TEXTS, _PASSES = 3072, 9216, 3
# With more routes than this, those nearest to a row's own are rarely in its batch by chance. With
# fewer, a hard negative would too often be of the route of another row in the batch, from which
# the loss would push it away.
_MANY_ROUTES = 1000
_NEAR = 5  # a hard negative is one of so many
_CELLS = 20_000_000  # similarities in memory at a time


@dataclass(frozen=True)
class Material:
    """What one training has.

    Attributes:
        texts: utterances, route names and labelled queries.
        labels: int (texts,), the route of each.
        vectors: float32 (texts, dim), the base's.
        outside: queries that no route is right for.
        outside_vectors: float32 (outside, dim), the base's.
        refused: (query, route number) of decisions that were wrong.
        refused_vectors: float32 (refused, dim), the base's.
    """

    texts: tuple[str, ...]
    labels: NDArray[np.intp]
    vectors: NDArray[np.float32]
    outside: tuple[str, ...]
    outside_vectors: NDArray[np.float32]
    refused: tuple[tuple[str, int], ...]
    refused_vectors: NDArray[np.float32]


def material(
    routes: RouteSet,
    kept: NDArray[np.intp],
    queries: Queries,
    vectors: dict[str, NDArray[np.float32]],
    held: Set[str] = frozenset(),
) -> Material:
    """What can be learned from some of the utterances, and from queries.

    The name of a route, as words, is one more text of it: names say what utterances have in common.

    Args:
        routes: all of them.
        kept: numbers of the utterances to learn from.
        queries: to learn from.
        vectors: the base's vector of each text.
        held: keys, see `text_key`, of texts that must not be learned from.
    """
    texts = [routes.texts[row] for row in kept]
    labels = list(routes.labels[kept])
    taken = {text_key(text) for text in (*routes.texts, *queries.texts)} | {"", *held}
    present = set(labels)
    for number, words in enumerate(map(name_as_words, routes.names)):
        if text_key(words) not in taken and number in present:
            texts.append(words)
            labels.append(number)
            taken.add(text_key(words))
    inside = queries.labels != NONE
    texts += [text for text, known in zip(queries.texts, inside, strict=True) if known]
    labels += list(queries.labels[inside])
    outside = tuple(t for t, known in zip(queries.texts, inside, strict=True) if not known)

    def stacked(found: Sequence[str]) -> NDArray[np.float32]:
        dim = len(next(iter(vectors.values())))
        return np.array([vectors[text] for text in found], np.float32).reshape(-1, dim)

    return Material(
        tuple(texts),
        np.array(labels, np.intp),
        stacked(texts),
        outside,
        stacked(outside),
        queries.refused,
        stacked([text for text, _ in queries.refused]),
    )


def name_as_words(name: str) -> str:
    """The name of a route as words."""
    return " ".join(name.replace("_", " ").replace("-", " ").replace("/", " ").split())


def training_rows(found: Material, seed: int) -> tuple[list[Example], int]:
    """Rows for one pass of the trainer, and how many of them a batch can hold.

    In every round, the texts of a route are paired at random. Texts that no route is right for,
    and those that were sent to a wrong one, are near misses of the rows that they are nearest to;
    where there are very many routes, so are utterances of the nearest other routes.

    Raises:
        DataError: if no route has two texts to pair.
    """
    rng = np.random.default_rng(seed)
    wanted = min(max(_PASSES * len(found.texts), _LEAST_TEXTS), max(_MOST_TEXTS, len(found.texts)))
    rows: list[Example] = []
    smallest = None
    while 2 * len(rows) < wanted:
        pairs = _pairs(found.labels, rng)
        if not pairs:
            raise DataError(
                "no route has two texts to learn from when one is held out: add utterances, or "
                "queries of the routes"
            )
        negatives = _negatives(found, pairs, rng)
        rows += [
            Example(
                found.texts[anchor],
                found.texts[positive],
                (negatives[number],) if number in negatives else (),
                int(found.labels[anchor]),
                "",
                "",
            )
            for number, (anchor, positive) in enumerate(pairs)
        ]
        smallest = len(pairs) if smallest is None else smallest
    return rows, min(BATCH, smallest or BATCH)


def _pairs(labels: NDArray[np.intp], rng: np.random.Generator) -> list[tuple[int, int]]:
    order = rng.permutation(len(labels))
    by_route = order[np.argsort(labels[order], kind="stable")]
    pairs = []
    for members in np.split(by_route, np.flatnonzero(np.diff(labels[by_route])) + 1):
        for first, second in zip(members[::2], members[1::2], strict=False):
            pairs.append((int(first), int(second)))
        if len(members) % 2 and len(members) > 1:  # one is left: it meets one that was paired
            pairs.append((int(members[-1]), int(rng.choice(members[:-1]))))
    return pairs


def _negatives(
    found: Material, pairs: list[tuple[int, int]], rng: np.random.Generator
) -> dict[int, str]:
    """A near miss for some of the rows."""
    anchors = np.array([anchor for anchor, _ in pairs])
    labels, vectors = found.labels[anchors], found.vectors[anchors]
    chosen: dict[int, str] = {}
    taken = np.zeros(len(pairs), bool)
    for text, vector, allowed in [
        *((t, v, None) for t, v in zip(found.outside, found.outside_vectors, strict=True)),
        *((t, v, n) for (t, n), v in zip(found.refused, found.refused_vectors, strict=True)),
    ]:
        nearness = vectors @ vector
        if allowed is not None:
            nearness[labels != allowed] = -np.inf
        nearness[taken] = -np.inf
        best = _highest(nearness[None])[0]
        best = best[np.isfinite(nearness[best])]
        if len(best):
            number = int(rng.choice(best))
            chosen[number], taken[number] = text, True
    if len(set(found.labels.tolist())) > _MANY_ROUTES:
        rest = np.flatnonzero(~taken)
        step = max(1, _CELLS // len(found.texts))
        for start in range(0, len(rest), step):
            part = rest[start : start + step]
            near = vectors[part] @ found.vectors.T
            near[labels[part][:, None] == found.labels] = -np.inf
            for number, best in zip(part, _highest(near), strict=True):
                chosen[int(number)] = found.texts[int(rng.choice(best))]
    return chosen


def _highest(values: NDArray[np.float32]) -> NDArray[np.intp]:
    """Places of the `_NEAR` highest of each row, (rows, at most `_NEAR`), the highest first."""
    k = min(_NEAR, values.shape[1])
    places = np.argpartition(values, -k, axis=1)[:, -k:]
    order = np.argsort(-np.take_along_axis(values, places, axis=1), axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1)
