"""A router file of any line: its routes, how it scores, and how it is written anew."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from semantic_router_lora.centroids import KEY, checked_weights
from semantic_router_lora.errors import DataError, InputError
from semantic_router_lora.fitting.scores import AGGREGATIONS, MOST_NEIGHBOURS, Scoring
from semantic_router_lora.fitting.thresholds import Thresholds
from semantic_router_lora.mining.routes import load_file, read_routes
from semantic_router_lora.registration import ENCODER_TYPE

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
    """

    path: Path
    content: dict[str, Any]
    routes: dict[str, list[object]]
    scoring: Scoring
    says_scoring: bool
    encoder: str | None
    other_encoder: str | None

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
        encoder, other = _encoder_of(content)
        return cls(path, content, routes, scoring, kind == "indexed", encoder, other)

    def fitted(
        self,
        reference: str | None,
        scoring: Scoring,
        thresholds: Thresholds,
        names: tuple[str, ...],
    ) -> dict[str, Any]:
        """The content with another encoder, and thresholds to go with it.

        Args:
            reference: ``<base>+lora:<adapter>``; None leaves the encoder as it is.
            scoring: how it is to score; of the lines before 1.0, files keep the weight alone.
            thresholds: for it.
            names: of the routes that the thresholds know by number.
        """
        content = copy.deepcopy(self.content)
        for route in content["routes"]:
            _set_weight(route, scoring.centroid_weight)
        if not self.says_scoring:
            if reference is not None:
                content["encoder_type"], content["encoder_name"] = ENCODER_TYPE, reference
            by_name = {names[number]: value for number, value in thresholds.by_route.items()}
            for route in content["routes"]:
                route["score_threshold"] = by_name.get(route["name"], thresholds.score)
            return content
        if reference is not None:
            content["encoder"] = {"type": ENCODER_TYPE, "name": reference}
        content["top_k"], content["aggregation"] = scoring.top_k, scoring.aggregation
        for route in content["routes"]:
            route.pop("confidence_threshold", None)  # was meant for other scores
        calibration = thresholds.calibration
        if calibration is None:
            content["calibrator"] = None
            content["confidence_threshold"] = thresholds.score
        else:
            parameters = {"a": [calibration.a], "b": [calibration.b]}
            content["calibrator"] = {"method": "platt", "params": parameters}
            content["confidence_threshold"] = thresholds.probability
        return content


def write_router(content: dict[str, Any], path: Path) -> None:
    """Write a router file, JSON or YAML by the path's ending."""
    import yaml

    if path.suffix.lower() == ".json":
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    else:
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    path.write_text(text, encoding="utf-8")


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
    said = {route["name"]: (route.get("metadata") or {}).get(KEY, 0.0) for route in routes}
    try:
        found = set(checked_weights(said).values())
    except InputError as error:
        raise DataError(f"{path}: {error}") from error
    if len(found) > 1:
        raise DataError(f"{path}: {KEY} is {sorted(found)} in its routes, expected one for all")
    return found.pop() if found else 0.0


def _set_weight(route: dict[str, Any], weight: float) -> None:
    metadata = {key: value for key, value in (route.get("metadata") or {}).items() if key != KEY}
    if weight:
        metadata[KEY] = weight
    if metadata or "metadata" in route:
        route["metadata"] = metadata


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
    encoder = content.get("encoder")
    if isinstance(encoder, dict):
        kind, name = encoder.get("type"), encoder.get("name")
    else:
        kind, name = content.get("encoder_type"), content.get("encoder_name")
    if kind in (_STOCK, ENCODER_TYPE):
        return (name if isinstance(name, str) and name else None), None
    return None, None if kind is None else str(kind)
