"""Values of JSON that others wrote: of the type that is asked for, or None."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any


def text(content: Mapping[str, Any], key: str) -> str | None:
    """A text that is not blank."""
    value = content.get(key)
    return value if isinstance(value, str) and value.strip() else None


def texts(content: Mapping[str, Any], key: str) -> list[str]:
    """The texts of a list, or the one text that stands in its place."""
    value = content.get(key)
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str) and item.strip()]


def number(content: Mapping[str, Any], key: str) -> float | None:
    """A finite number."""
    value = content.get(key)
    if value is None or not is_number(value) or not math.isfinite(value):
        return None
    return float(value)


def whole(content: Mapping[str, Any], key: str) -> int | None:
    """An integer that is not negative."""
    value = content.get(key)
    return value if type(value) is int and value >= 0 else None


def mapping(content: Mapping[str, Any], key: str) -> dict[str, Any]:
    """An object; empty if there is none."""
    value = content.get(key)
    return value if isinstance(value, dict) else {}


def mappings(content: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects of a list."""
    value = content.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def counts(content: Mapping[str, Any], key: str) -> dict[str, int]:
    """The whole numbers of an object, by their names."""
    found = mapping(content, key)
    return {str(name): count for name in found if (count := whole(found, name)) is not None}


def is_number(value: Any) -> bool:
    """Whether a value is a float or an integer that one can hold, which in Python a bool is, too.

    An integer of JSON may be larger than any float, and few functions of numbers take it.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) <= sys.float_info.max
    return isinstance(value, float)
