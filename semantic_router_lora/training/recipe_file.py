"""A recipe as a short YAML file."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from semantic_router_lora.adapters.settings import MAX_ALPHA, MAX_RANK
from semantic_router_lora.data.triplets import TRAPS
from semantic_router_lora.errors import DataError
from semantic_router_lora.training.recipe import Recipe, TrainFile

LOSSES = ("cache", "cosent", "online_contrastive")
WEIGHTS_DTYPES = ("float32", "float16")
# A number to everybody but YAML 1.1.
_EXPONENT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)[eE][+-]?\d+")


def load_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        DataError: if the file is missing or not YAML, a key is unknown or missing, or a value has
            the wrong type or is out of range.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    except RecursionError as error:
        raise DataError(f"{path}: cannot be read: it is nested too deeply") from error
    try:
        return Recipe(**_checked(Recipe, content, path.parent))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _checked(kind: type, content: Any, folder: Path) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise DataError(f"expected a mapping, got {type(content).__name__}")
    known = {field.name: field for field in fields(kind)}
    if unknown := sorted(str(key) for key in content.keys() - known.keys()):
        raise DataError(f"unknown keys {unknown}; known are {', '.join(known)}")
    required = {name for name, field in known.items() if field.default is MISSING}
    if missing := sorted(required - content.keys()):
        raise DataError(f"keys {missing} are missing")
    values = {
        name: _value(name, str(known[name].type), value, folder) for name, value in content.items()
    }
    _check_ranges(values)
    return values


def _value(name: str, kind: str, value: Any, folder: Path) -> Any:
    """A YAML value as the type of its field, with paths made absolute."""
    if name == "train" and isinstance(value, list):
        return tuple(
            TrainFile(**_checked(TrainFile, item, folder))
            if isinstance(item, dict)
            else TrainFile(_value("file", "str", item, folder))
            for item in value
        )
    if value is None and kind.endswith("| None"):
        return None
    if kind.startswith("float") and type(value) in (int, float):
        try:
            return float(value)
        except OverflowError as error:
            raise DataError(f"{name} has {len(str(value))} digits, which is too large") from error
    if kind.startswith("float") and isinstance(value, str) and _EXPONENT.fullmatch(value):
        raise DataError(
            f"{name} is {value!r}, a text in YAML, where an exponent needs a point and a sign: "
            f"write {_with_point(value)}"
        )
    if kind.startswith(("int", "bool", "str")) and type(value).__name__ == kind.split(" ")[0]:
        return str(folder / value) if name == "file" else value
    if "tuple[str" in kind and isinstance(value, list):
        if all(isinstance(item, str) for item in value):
            return tuple(str(folder / item) if name == "dev" else item for item in value)
        raise DataError(f"{name} is {value!r}, expected a list of texts")
    expected = kind.replace("tuple[TrainFile, ...]", "a list of files").replace(
        "tuple[str, ...]", "a list of texts"
    )
    expected = expected.replace(" | ", " or ")
    raise DataError(f"{name} is {value!r}, expected {expected}")


def _with_point(number: str) -> str:
    mantissa, exponent = number.lower().split("e")
    sign = "" if exponent[0] in "+-" else "+"
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{sign}{exponent}"


_POSITIVE = (
    "r lora_alpha scale batch_size learning_rate epochs interpolation limit repeat max_seq_length"
)
_NOT_NEGATIVE = "contrastive_weight distillation_weight domain_exponent checkpoint_steps seed"
_COUNTS = "batch_size checkpoint_steps max_seq_length limit repeat"
_SHARES = "lora_dropout base_dropout warmup_ratio"


def _check_ranges(values: dict[str, Any]) -> None:
    given = {name: value for name, value in values.items() if value is not None}
    ranges: tuple[tuple[str, Callable[[float], bool], str], ...] = (
        (_POSITIVE, lambda value: value > 0, "more than 0"),
        (_NOT_NEGATIVE, lambda value: value >= 0, "0 or more"),
        (_SHARES, lambda value: 0 <= value < 1, "from 0 to less than 1"),
        ("negative_margin guide_margin", lambda value: -1 <= value <= 1, "from -1 to 1"),
        ("r", lambda value: value <= MAX_RANK, f"at most {MAX_RANK}"),
        ("lora_alpha", lambda value: value <= MAX_ALPHA, f"at most {MAX_ALPHA:,}"),
        ("domain_exponent", lambda value: value <= 10, "at most 10"),
        # less is lost in the rounding, and could not be proven to have an effect
        ("interpolation", lambda value: 0.01 <= value <= 1, "from 0.01 to 1"),
        (_COUNTS, lambda value: value < 2**31, "less than 2**31"),
        ("seed", lambda value: value < 2**32, "less than 2**32"),
    )
    for name, value in given.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise DataError(f"{name} is {value}, expected a finite number")
    for names, holds, expected in ranges:
        for name in names.split():
            if name in given and not holds(given[name]):
                raise DataError(f"{name} is {given[name]}, expected {expected}")
    if unknown := [trap for trap in given.get("skip_traps", ()) if trap not in TRAPS]:
        raise DataError(
            f"skip_traps names {', '.join(unknown)}, expected some of {', '.join(TRAPS)}"
        )
    name = given.get("name", "x")
    if not name.strip() or Path(name).name != name or "\\" in name:
        raise DataError(f"name is {name!r}, expected the name of a folder")
    if given.get("train") == ():
        raise DataError("train names no file")
    if given.get("target_modules") in ((), ""):
        raise DataError("target_modules names no layer")
    if given.get("batch_size") == 1 and not given.get("hard_negatives", True):
        raise DataError("batch_size 1 without hard_negatives has nothing to tell a row apart from")
    if (dtype := given.get("weights_dtype", "float32")) not in WEIGHTS_DTYPES:
        raise DataError(f"weights_dtype is {dtype!r}, expected one of {', '.join(WEIGHTS_DTYPES)}")
    if given.get("loss", "cache") not in LOSSES:
        raise DataError(f"loss is {given['loss']!r}, expected one of {', '.join(LOSSES)}")
    if given.get("loss", "cache") != "cache":
        for name in ("contrastive_weight", "distillation_weight", "guide_margin"):
            if given.get(name):
                raise DataError(f"{name} is a part of loss: cache, not of {given['loss']}")
        if not given.get("hard_negatives", True):
            raise DataError(f"loss: {given['loss']} needs hard_negatives")
