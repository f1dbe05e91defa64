"""Reading router files of semantic-router as plain data, and with distrust."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from semantic_router_lora.errors import DataError


def load_file(path: Path) -> Any:
    """The content of a router file, as plain data.

    Raises:
        DataError: if it is missing, of another kind, or broken.
    """
    import yaml

    if not path.is_file():
        raise DataError(f"{path}: no such file")
    kind = path.suffix.lower()
    if kind not in (".yaml", ".yml", ".json"):
        raise DataError(f"{path}: expected a file ending in .yaml, .yml or .json")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8: {error}") from error
    if kind == ".json":
        try:
            return json.loads(text)
        except RecursionError as error:
            raise DataError(f"{path}: is nested too deeply") from error
        except ValueError as error:
            raise DataError(f"{path}: not valid JSON: {error}") from error
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: such as the 31st of February
        raise DataError(f"{path}: not valid YAML: {error}") from error
    except RecursionError as error:
        raise DataError(f"{path}: is nested too deeply") from error


def refuse_other_modules(path: Path, content: Any) -> None:
    """Refuse a file with which loading would run code of the file's choice.

    A file of the lines before 1.0 names module and class of a route's language model, and
    semantic-router imports the module and calls the class, whatever they are.

    Args:
        path: of the file.
        content: what `load_file` found in it.

    Raises:
        DataError: if it names a module outside semantic_router.llms.
    """
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
