"""Utterance vectors drawn towards the centroid of their route.

A router compares a query with single utterances. With a share of the route's mean in each of its
vectors, a query is compared with the utterance and with its route at once: between the rule of
the nearest utterance and that of the nearest centroid. Queries are embedded as before.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from semantic_router_lora.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# In the metadata of a route: semantic-router keeps them, whatever they say, in files of all lines.
KEY = "centroid_weight"


def towards_centroids(
    vectors: NDArray[np.float32],
    labels: NDArray[np.intp],
    weights: NDArray[np.float32] | float,
) -> NDArray[np.float32]:
    """(1 − w) · vector + w · mean of the vectors of its route, of unit length again.

    Args:
        vectors: (utterances, dim), of unit length.
        labels: (utterances,), the number of the route of each, from 0 on.
        weights: w, of all or (utterances,).

    Returns:
        float32 (utterances, dim).
    """
    weights = np.broadcast_to(np.asarray(weights, np.float32), len(vectors))[:, None]
    sums = np.zeros((int(labels.max(initial=-1)) + 1, vectors.shape[1]), np.float32)
    np.add.at(sums, labels, vectors)
    means = sums[labels] / np.bincount(labels)[labels][:, None]
    mixed = (1 - weights) * vectors + weights * means
    return np.asarray(mixed / np.linalg.norm(mixed, axis=1, keepdims=True), np.float32)


def use_centroids(router: Any, weight: float | None = None) -> None:
    """Draw the utterance vectors in a router's index towards the centroids of their routes.

    `load_router` does this for files that say so; in 1.x, any router does that is built after
    `register`. Call it for one built in code, with the ``report.scoring.centroid_weight`` of
    `fit_adapter`, and again after routes were added.

    Args:
        router: a ``RouteLayer``, ``SemanticRouter`` or ``IndexedRouter``; of a ``Chain`` or
            ``Merge``, the routers in it.
        weight: w of `towards_centroids`, from 0 (the utterances alone) to less than 1, which is
            written to the metadata of the routes; None takes what these say, and for routes
            that say nothing the weight that all others have.

    Raises:
        InputError: if a weight is out of range, or the router mixes in a sparse encoder, or is of
            a line before 1.0 and its index is not in memory, or still empty.
    """
    for one in _indexed(router):
        said = {r.name: (r.metadata or {}).get(KEY) for r in one.routes}
        weights = checked_weights(dict.fromkeys(said, weight) if weight is not None else said)
        if weight is None and not any(weights.values()):
            continue
        if getattr(one, "sparse_encoder", None) is not None:
            raise InputError(f"{KEY}: not for a router that mixes in a sparse encoder")
        if hasattr(one, "refresh"):
            _write_records(one, weights)
        else:
            _write_arrays(one, weights)


def drawing(init: Callable[..., None]) -> Callable[..., None]:
    """A router's constructor that also draws the vectors of the routes it is given."""

    @functools.wraps(init)
    def extended(self: Any, *given: Any, **named: Any) -> None:
        init(self, *given, **named)
        if inspect.signature(init).bind(self, *given, **named).arguments.get("routes"):
            use_centroids(self)

    return extended


def checked_weights(found: Mapping[str, object]) -> dict[str, float]:
    """The weight of each route.

    Args:
        found: what routes say, None for those that say nothing: these get the weight that all
            others have, or 0.

    Raises:
        InputError: if one is no number from 0 to less than 1.
    """
    said = {name: value for name, value in found.items() if value is not None}
    for name, value in said.items():
        if type(value) not in (int, float) or not 0 <= value < 1:  # type: ignore[operator]
            raise InputError(f"{KEY} of route {name!r} is {value!r}, expected 0 to less than 1")
    different = {float(value) for value in said.values()}  # type: ignore[arg-type]
    common = different.pop() if len(different) == 1 else 0.0
    return {name: float(said.get(name, common)) for name in found}  # type: ignore[arg-type]


def _indexed(router: Any) -> Iterator[Any]:
    for part in getattr(router, "routers", None) or ():
        yield from _indexed(part)
    if hasattr(router, "index") and hasattr(router, "encoder"):
        yield router


def _write_records(router: Any, weights: Mapping[str, float]) -> None:
    """In 1.x, where the index is what keeps routes, and adding a record replaces the one there."""
    records = router.index.get_utterances()
    if not records:
        return
    names = [record.route for record in records]
    utterances = [record.utterance for record in records]
    metadata = [{**record.metadata, KEY: weights.get(record.route, 0.0)} for record in records]
    vectors = _vectors(router, names, utterances, weights)
    router.index.add(vectors.tolist(), names, utterances, metadata_list=metadata)
    router.refresh()


def _write_arrays(router: Any, weights: Mapping[str, float]) -> None:
    """In the lines before, whose indexes cannot replace a record."""
    index = router.index
    if index.index is None:
        raise InputError(f"{KEY}: the index is empty; fill it first, as router.sync('local') does")
    if not isinstance(index.index, np.ndarray):
        raise InputError(f"{KEY}: not for an index of type {index.type!r}, whose vectors stay")
    index.index = _vectors(router, list(index.routes), list(index.utterances), weights)
    for route in router.routes:
        route.metadata = {**(route.metadata or {}), KEY: weights[route.name]}
    if getattr(index, "metadata", None) is not None:  # else a later sync would see a difference
        of_route = {route.name: route.metadata for route in router.routes}
        index.metadata = np.array([dict(of_route[name]) for name in index.routes], dtype=object)


def _vectors(
    router: Any, names: list[str], utterances: list[Any], weights: Mapping[str, float]
) -> NDArray[np.float32]:
    # Some embed what is searched in another way than what is asked.
    encode = getattr(router.encoder, "encode_documents", router.encoder)
    vectors = np.asarray(encode(utterances), np.float32)
    labels = np.unique(np.array(names), return_inverse=True)[1]
    of_each = np.array([weights.get(name, 0.0) for name in names], np.float32)
    return towards_centroids(vectors, labels, of_each)
