"""Reading the JSON files of a stranger: one meaning only, no surprise, no endless nesting."""

from __future__ import annotations

import json
import math
from typing import Any

from semantic_router_lora.adapters import layout
from semantic_router_lora.checking.outcome import Outcome, verdict
from semantic_router_lora.checking.subject import JSON_FILES, Subject

MAX_DEPTH = 24
_LISTS = (layout.TRAINING_HISTORY,)


def check_json(subject: Subject) -> Outcome:
    """Every JSON file is sound, and holds an object or a list, as it should."""
    problems = []
    for name in JSON_FILES:
        if not subject.has(name):
            continue
        try:
            content = parse_json(subject.path(name).read_bytes())
        except ValueError as error:
            problems.append(f"{name}: {error}")
            continue
        wanted = list if name in _LISTS else dict
        if isinstance(content, wanted):
            subject.documents[name] = content
        else:
            kind = "a list" if wanted is list else "an object"
            problems.append(f"{name}: holds {type(content).__name__}, expected {kind}")
    return verdict(problems, f"{len(subject.documents)} files, none of them ambiguous")


def parse_json(data: bytes) -> Any:
    """Parse JSON that every reader must understand in the same way.

    Raises:
        ValueError: if it is not UTF-8 or not JSON, names a key twice (of which readers take the
            first or the last), holds numbers that are not finite, or nests too deeply.
    """
    try:
        content = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except RecursionError as error:
        raise ValueError(f"nests more than {MAX_DEPTH} levels deep") from error
    if _depth_exceeds(content, MAX_DEPTH):
        raise ValueError(f"nests more than {MAX_DEPTH} levels deep")
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"names the key {twice!r} twice")
    return content


def _refuse_constant(name: str) -> None:
    raise ValueError(f"holds {name}, which is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"holds a number that is too large: {text[:40]}")
    return value


def _depth_exceeds(content: Any, most: int) -> bool:
    level = [content]
    for _ in range(most):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return True
