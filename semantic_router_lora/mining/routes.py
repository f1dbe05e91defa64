"""The routes of a semantic-router file, read as plain data: no router or encoder is built."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from semantic_router_lora.data.triplets import check_unicode
from semantic_router_lora.errors import DataError
from semantic_router_lora.router_files import load_file

logger = logging.getLogger(__name__)


def read_routes(path: Path) -> dict[str, list[object]]:
    """Read the utterances of each route of a file that any line of semantic-router wrote.

    The lines 0.0 to 0.3 keep a list ``routes`` beside the encoder. So does 1.x, where a ``chain``
    or ``merge`` holds ``routers``, one in the other; there, routes of one name are one route. A
    bare list of routes is read too. Utterances can be other than texts.

    Raises:
        DataError: if the file is missing, of another kind, broken, or holds no routes.
    """
    utterances: dict[str, list[object]] = {}
    try:
        for route, where in _routes(load_file(path), str(path)):
            name, texts = route.get("name"), route.get("utterances") or []
            if not isinstance(name, str) or not name.strip():
                raise DataError(f"{where}: the route's name is {name!r}, expected a text")
            if not isinstance(texts, list):
                raise DataError(f"{where}: utterances of {name!r} are no list")
            for text in texts:
                if isinstance(text, str):
                    check_unicode(text, f"{where}: an utterance of {name!r}")
            utterances.setdefault(name, []).extend(texts)
    except RecursionError as error:
        raise DataError(f"{path}: is nested too deeply") from error
    if not utterances:
        raise DataError(
            f"{path}: holds no routes; a router on a remote index is saved without them"
        )
    return utterances


def _routes(node: Any, where: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Each route below a router, and where it stands."""
    if isinstance(node, list):
        for number, item in enumerate(node, start=1):
            yield from _routes(item, f"{where}: item {number}")
    elif not isinstance(node, dict):
        raise DataError(f"{where}: expected a router or a route, got {type(node).__name__}")
    elif "routers" in node or "routes" in node:
        below = node.get("routers") or node.get("routes") or []
        if not isinstance(below, list):
            raise DataError(f"{where}: its routes are no list")
        yield from _routes(below, where)
    elif "name" in node:
        yield node, where
    else:
        logger.warning("%s: a router without routes; its index may keep them", where)
