"""Merging an adapter of plain LoRA into named tensors, without peft."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from semantic_router_lora.adapters.merge import compare_weights, no_target
from semantic_router_lora.adapters.read import Adapter

if TYPE_CHECKING:
    from torch import Tensor

Number = TypeVar("Number", int, float)
_PREFIX = "base_model.model."
# Settings that `merge_directly` applies, and those of others that leave it plain LoRA.
_APPLIED = (
    "r",
    "lora_alpha",
    "target_modules",
    "exclude_modules",
    "rank_pattern",
    "alpha_pattern",
    "use_rslora",
)
_PLAIN = {"bias": "none"}


def direct_merge_obstacle(adapter: Adapter, linear_layers: Mapping[str, object]) -> str | None:
    """Why an adapter must be merged by peft, or None if `merge_directly` can do it."""
    for key, value in adapter.config.items():
        if key not in _APPLIED and value is not False and value != _PLAIN.get(key):
            return f"it sets {key}"
    targets = adapter.config.get("target_modules")
    if not isinstance(targets, list):
        return "its target_modules are not a list of names"
    unknown = [t for t in targets if not any(_is_named(name, [t]) for name in linear_layers)]
    if unknown and len(unknown) < len(targets):
        return f"its target {unknown[0]!r} is no linear layer of the base"
    return None


def merge_directly(
    weights: Mapping[str, Tensor], adapter: Adapter, linear_layers: Mapping[str, tuple[int, int]]
) -> None:
    """W ← W + scaling · B A for each targeted linear layer (Hu et al. 2021, arXiv 2106.09685).

    Args:
        weights: the base's weights as (out, in) by name, in float32; changed in place.
        adapter: one that has no `direct_merge_obstacle`.
        linear_layers: name and (out, in) of every linear layer of the architecture, also of those
            whose weights are not in `weights` because nothing depends on them.

    Raises:
        AdapterMismatchError: as `low_rank_factors` does; the weights are then as they were.
    """
    for name, (down, up) in low_rank_factors(adapter, linear_layers).items():
        if name in weights:
            weights[name].add_(up @ down)


def low_rank_factors(
    adapter: Adapter, linear_layers: Mapping[str, tuple[int, int]]
) -> dict[str, tuple[Tensor, Tensor]]:
    """A as (rank, in) and scaling · B as (out, rank), in float32, by the layer's name.

    Args:
        adapter: one that has no `direct_merge_obstacle`.
        linear_layers: name and (out, in) of every linear layer of the architecture.

    Raises:
        AdapterMismatchError: if a key of the adapter's file finds no place in the base, a place
            stays without weights, or a shape differs.
    """
    config = adapter.config
    excluded = config.get("exclude_modules", [])
    targets = [
        name
        for name in linear_layers
        if _is_named(name, config["target_modules"]) and not _is_named(name, excluded)
    ]
    if not targets:
        raise no_target(adapter, "this base", linear_layers)
    expected: dict[str, tuple[int, ...]] = {}
    scaling = {}
    for name in targets:
        rank: int = _by_pattern(config.get("rank_pattern", {}), name, config.get("r", 8))
        alpha: float = _by_pattern(
            config.get("alpha_pattern", {}), name, config.get("lora_alpha", 8)
        )
        scaling[name] = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
        rows, columns = linear_layers[name]
        expected[f"{_PREFIX}{name}.lora_A.weight"] = (rank, columns)
        expected[f"{_PREFIX}{name}.lora_B.weight"] = (rows, rank)
    compare_weights(adapter, expected)
    return {
        name: (
            adapter.tensors[f"{_PREFIX}{name}.lora_A.weight"].float(),
            adapter.tensors[f"{_PREFIX}{name}.lora_B.weight"].float() * scaling[name],
        )
        for name in targets
    }


def _is_named(name: str, names: list[str] | str) -> bool:
    """Whether a layer ends like one of a list, or matches a regular expression, as in peft."""
    if isinstance(names, str):
        return re.fullmatch(names, name) is not None
    return any(name == ending or name.endswith(f".{ending}") for ending in names)


def _by_pattern(patterns: dict[str, Number], name: str, default: Number) -> Number:
    """The value of the first pattern that matches the end of a layer's name, as in peft."""
    for pattern, value in patterns.items():
        if re.match(rf"(.*\.)?({pattern})$", name):
            return value
    return default
