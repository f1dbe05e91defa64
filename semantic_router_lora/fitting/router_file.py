"""A router file of any line: its routes, its encoder, and how it scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from semantic_router_lora.adapters.resolve import DEFAULT_ADAPTER
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.centroids import KEY, checked_weights
from semantic_router_lora.errors import DataError, InputError
from semantic_router_lora.fitting.scores import AGGREGATIONS, MOST_NEIGHBOURS, Scoring
from semantic_router_lora.mining.routes import read_routes
from semantic_router_lora.reference import ModelReference
from semantic_router_lora.registration import ENCODER_TYPE
from semantic_router_lora.router_files import load_file

_STOCK = "huggingface"  # semantic-router's type of an encoder from the Hub


@dataclass(frozen=True)
class RouterFile:
    """A router file as it was read.

    Attributes:
        path: where it lies.
        content: all of it.
        routes: utterances by route.
        scoring: how the router scores; the defaults where the file cannot say.
        says_scoring: whether files of its line hold that: those of 1.x do.
        encoder: name of the encoder's model if it comes from the Hub or is ours, else None.
        other_encoder: type of the encoder if it is of another kind, else None.
        stock: whether it is semantic-router's own for models from the Hub.
    """

    path: Path
    content: dict[str, Any]
    routes: dict[str, list[object]]
    scoring: Scoring
    says_scoring: bool
    encoder: str | None
    other_encoder: str | None
    stock: bool

    @classmethod
    def read(cls, path: Path) -> RouterFile:
        """Read a file.

        Raises:
            DataError: if it cannot be read, holds no routes, or holds another kind of router than
                one that compares queries with utterances by one dense encoder.
        """
        routes = read_routes(path)
        content = load_file(path)
        if not isinstance(content, dict):
            raise DataError(f"{path}: holds routes only, no router: pass them to fit_adapter")
        kind = content.get("router_type")
        if "routers" in content or kind not in (None, "indexed"):
            raise DataError(
                f"{path}: is a router of type {kind!r}; fit the indexed routers in it one by one"
            )
        if content.get("sparse_encoder"):
            raise DataError(
                f"{path}: mixes in scores of a sparse encoder, which held-out figures would leave "
                f"out; fit the router without it"
            )
        _check_index(path, content.get("index"))
        for route in content["routes"]:
            if not isinstance(route, dict) or "name" not in route:
                raise DataError(f"{path}: holds {str(route)[:80]!r} among its routes")
        scoring = own_scoring() if kind is None else Scoring()
        scoring = replace(
            scoring,
            centroid_weight=_centroid_weight(path, content["routes"]),
            top_k=content.get("top_k", scoring.top_k),
            aggregation=content.get("aggregation", scoring.aggregation),
        )
        if (
            type(scoring.top_k) is not int
            or not 0 < scoring.top_k <= MOST_NEIGHBOURS
            or scoring.aggregation not in AGGREGATIONS
        ):
            raise DataError(
                f"{path}: top_k {scoring.top_k!r} with aggregation {scoring.aggregation!r}; "
                f"expected 1 to {MOST_NEIGHBOURS} with one of {', '.join(AGGREGATIONS)}"
            )
        encoder, name = _encoder_of(content)
        known = encoder in (None, _STOCK, ENCODER_TYPE)
        if name is None and encoder == ENCODER_TYPE:
            name = str(ModelReference(DEFAULT_BASE, DEFAULT_ADAPTER))
        return cls(
            path,
            content,
            routes,
            scoring,
            says_scoring=kind == "indexed",
            encoder=name if known else None,
            other_encoder=None if known else encoder,
            stock=encoder == _STOCK,
        )


def own_scoring() -> Scoring:
    """How routers before 1.0 score when they come from a file, which does not say it.

    Files do not say their line either: it is that of the installed semantic-router, and 0.1 to 0.3
    where that is none before 1.0.
    """
    if version("semantic-router").startswith("0.0."):
        return Scoring(aggregation="sum", best_passes=True)
    return Scoring()


def _centroid_weight(path: Path, routes: list[dict[str, Any]]) -> float:
    """What all routes have.

    Raises:
        DataError: if it is not the same for all, or cannot be one.
    """
    said = {}
    for route in routes:
        metadata = route.get("metadata") or {}
        if not isinstance(metadata, dict):
            raise DataError(f"{path}: metadata of route {route['name']!r} are no mapping")
        said[route["name"]] = metadata.get(KEY)
    try:
        found = set(checked_weights(said).values())
    except InputError as error:
        raise DataError(f"{path}: {error}") from error
    if len(found) > 1:
        raise DataError(f"{path}: {KEY} is {sorted(found)} in its routes, expected one for all")
    return found.pop() if found else 0.0


def _check_index(path: Path, index: Any) -> None:
    """Refuse an index that keeps vectors, which would still be those of the encoder before."""
    settings = index if isinstance(index, dict) else {}
    kind = settings.get("type", "local")
    in_memory = kind == "qdrant" and settings.get("location", ":memory:") == ":memory:"
    if kind not in ("local", "hybrid_local") and not in_memory:
        raise DataError(
            f"{path}: its index of type {kind!r} keeps the vectors of the encoder it was filled "
            f"with: fit the router on a local index, and fill the other one anew"
        )
    if settings.get("metric", "cosine") not in ("cosine", "dotproduct"):
        raise DataError(f"{path}: its index compares by {settings['metric']!r}, expected cosine")


def _encoder_of(content: dict[str, Any]) -> tuple[str | None, str | None]:
    """Type and name of its encoder, as far as it says them."""
    encoder = content.get("encoder")
    if isinstance(encoder, dict):
        kind, name = encoder.get("type"), encoder.get("name")
    else:
        kind, name = content.get("encoder_type"), content.get("encoder_name")
    return (
        None if kind is None else str(kind),
        name if isinstance(name, str) and name else None,
    )
