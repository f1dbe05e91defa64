"""Reading router files of semantic-router's lines before 1.0 with distrust."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from semantic_router_lora.errors import DataError


def refuse_other_modules(path: Path) -> None:
    """Refuse a file with which loading would run code of the file's choice.

    A file of these lines names module and class of a route's language model, and semantic-router
    imports the module and calls the class, whatever they are.

    Raises:
        DataError: if the file is no JSON or YAML, or names a module outside semantic_router.llms.
    """
    import yaml

    text = path.read_text(encoding="utf-8")
    try:
        content: Any = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise DataError(f"{path}: it cannot be read: {error}") from error
    routes = content.get("routes") if isinstance(content, dict) else None
    for route in routes if isinstance(routes, list) else []:
        llm = route.get("llm") if isinstance(route, dict) else None
        module = llm.get("module") if isinstance(llm, dict) else llm
        if module is not None and not f"{module}.".startswith("semantic_router.llms."):
            raise DataError(
                f"{path}: route {route.get('name')!r} has semantic-router import {module!r} for "
                f"its language model: refused, because a file could name any module; load it by "
                f"semantic-router's own from_file if you trust it"
            )
