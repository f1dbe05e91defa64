"""Writing a router file anew, for another encoder, scoring and thresholds."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from semantic_router_lora.centroids import KEY
from semantic_router_lora.fitting.router_file import RouterFile
from semantic_router_lora.fitting.scores import Scoring
from semantic_router_lora.fitting.thresholds import Thresholds
from semantic_router_lora.registration import ENCODER_TYPE


def rewritten(
    file: RouterFile,
    reference: str | None,
    scoring: Scoring,
    thresholds: Thresholds,
    names: tuple[str, ...],
) -> dict[str, Any]:
    """The content of a router file with another encoder, and thresholds to go with it.

    Args:
        file: as it was read.
        reference: ``<base>+lora:<adapter>``; None leaves the encoder as it is.
        scoring: how it is to score; of the lines before 1.0, files keep the weight alone.
        thresholds: for it.
        names: of the routes that the thresholds know by number.
    """
    content = copy.deepcopy(file.content)
    for route in content["routes"]:
        _set_weight(route, scoring.centroid_weight)
    if not file.says_scoring:
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


def _set_weight(route: dict[str, Any], weight: float) -> None:
    metadata = {key: value for key, value in (route.get("metadata") or {}).items() if key != KEY}
    if weight:
        metadata[KEY] = weight
    if metadata or "metadata" in route:
        route["metadata"] = metadata
