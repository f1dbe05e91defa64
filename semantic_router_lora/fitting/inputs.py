"""What a fit is made of: queries, a model, the scorings that may be chosen."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from semantic_router_lora.adapters.read import Adapter, read_adapter
from semantic_router_lora.adapters.resolve import resolve_adapter
from semantic_router_lora.base_models import DEFAULT_BASE, BaseModel, resolve_base
from semantic_router_lora.errors import InputError
from semantic_router_lora.fitting.router_file import RouterFile, own_scoring
from semantic_router_lora.fitting.routes import (
    Queries,
    RouteSet,
    read_out_of_scope,
    read_queries,
)
from semantic_router_lora.fitting.scores import CENTROID_WEIGHTS, SCORINGS, Scoring
from semantic_router_lora.reference import ModelReference

LabelledQueries: TypeAlias = "Queries | Path | str | Iterable[tuple[str, str | None] | Path]"


def queries_of(given: LabelledQueries | None, routes: RouteSet) -> Queries:
    """Queries that the caller gave, in whatever form."""
    if given is None:
        return Queries()
    if isinstance(given, Queries):
        return given
    if isinstance(given, (str, Path)):
        return read_queries(Path(given), routes)
    items = list(given)
    if items and all(isinstance(item, Path) for item in items):
        files = [read_queries(item, routes) for item in items]  # type: ignore[arg-type]
        return functools.reduce(Queries.__add__, files)
    return Queries.of(items, routes)  # type: ignore[arg-type]


def outside_of(given: Iterable[str] | Path | None, routes: RouteSet) -> Queries:
    """Queries without a route, in whatever form.

    Raises:
        InputError: if it is one text, or no list of any.
    """
    if isinstance(given, Path):
        return read_out_of_scope(given)
    if isinstance(given, str) or not isinstance(given, Iterable | None):
        raise InputError(f"out_of_scope is {str(given)[:80]!r}, expected a list of queries")
    return Queries.of([(text, None) for text in given or ()], routes)


def model_of(
    file: RouterFile | None, base: str | None, adapter: str | None
) -> tuple[BaseModel, Adapter | None]:
    """The base, and the adapter to start from.

    Raises:
        InputError: if the router's encoder cannot be started from, and nothing else is named.
    """
    own = file is not None and base is None and adapter is None
    if file is not None and file.other_encoder is not None and base is None and adapter is None:
        raise InputError(
            f"{file.path}: its encoder is of type {file.other_encoder!r}, which cannot be adapted: "
            f"name a base; the figures before are those of the base then, not of that encoder"
        )
    if file is not None and file.encoder is not None and base is None and adapter is None:
        named = ModelReference.parse(file.encoder)
        base, adapter = named.base, named.adapter
    start = None
    if adapter is not None:
        location = resolve_adapter(adapter)
        start = read_adapter(location.name, location.folder)
        base = base or start.base_model
    found = resolve_base(base or DEFAULT_BASE)
    if own and file is not None and file.stock and found.pooling != "mean":
        raise InputError(
            f"{file.path}: semantic-router's encoder takes the mean of the tokens of {found.name}, "
            f"which was trained with {found.pooling!r} in its place: name the base, and it is "
            f"pooled as it should be; the figures before are not those of that router then"
        )
    return found, start


def scorings_of(file: RouterFile | None) -> tuple[Scoring, ...]:
    """The router's own first; of others, those that the file can say."""
    own = file.scoring if file else own_scoring()
    if file is not None and not file.says_scoring:
        weights = dict.fromkeys((own.centroid_weight, *CENTROID_WEIGHTS))
        return tuple(replace(own, centroid_weight=weight) for weight in weights)
    others = (replace(scoring, best_passes=own.best_passes) for scoring in SCORINGS)
    return (own, *(scoring for scoring in others if scoring != own))


def digest(routes: RouteSet, *queries: Queries) -> str:
    """SHA-256 of routes and queries."""
    content: list[Any] = [routes.names, routes.texts, routes.labels.tolist()]
    content += [[part.texts, np.asarray(part.labels).tolist(), part.refused] for part in queries]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
