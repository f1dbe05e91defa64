"""What sentence-transformers keeps beside a base model: its modules, its pooling, its prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from semantic_router_lora.errors import BaseModelError

MODULES = "modules.json"
_POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
}
POOLING_MODES = ("cls", "max", "mean")


def pooling_of(name: str, folder: Path) -> str:
    """How a base pools; `name` is for messages.

    Raises:
        BaseModelError: if it pools, or goes on, in an unsupported way.
    """
    pooling = "mean"  # of a plain transformers model; sentence-transformers takes the mean too
    for kind, path in listed_modules(folder):
        if kind == "Pooling":
            config = read_json(folder / path / "config.json")
            if not config:
                raise BaseModelError(f"base model {name}: {path}/config.json is missing or empty")
            pooling = _pooling_mode(name, config)
        elif kind not in ("Transformer", "Normalize"):
            raise BaseModelError(
                f"base model {name} has a module of type {kind}; "
                f"supported are Transformer, Pooling and Normalize"
            )
    return pooling


def listed_modules(folder: Path) -> list[tuple[str, str]]:
    """Type and folder of each module that modules.json lists; empty without that file."""
    path = folder / MODULES
    if not path.is_file():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [(str(m["type"]).rpartition(".")[2], str(m["path"])) for m in content]
    except (ValueError, TypeError, KeyError) as error:
        raise BaseModelError(f"{path} lists no modules: {error}") from error


def refuse_prompts(name: str, config: dict[str, Any]) -> None:
    """Refuse a base that puts a prompt before each text: here, it would be left out in silence.

    Raises:
        BaseModelError: if it does.
    """
    prompts = config.get("prompts") or {}
    default = config.get("default_prompt_name") or ""
    if not isinstance(prompts, dict) or not isinstance(default, str):
        raise BaseModelError(
            f"base model {name}: config_sentence_transformers.json has prompts {prompts!r:.100} "
            f"and default_prompt_name {default!r:.100}, expected an object and a name"
        )
    prompt = prompts.get(default)
    if prompt:
        raise BaseModelError(f"base model {name} prepends the prompt {prompt!r}: not supported")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty without the file.

    Raises:
        BaseModelError: if it holds anything else.
    """
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise BaseModelError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise BaseModelError(f"{path} holds {type(content).__name__}, expected an object")
    return content


def _pooling_mode(name: str, config: dict[str, Any]) -> str:
    modes = [key for key in config if key.startswith("pooling_mode_") and config[key]]
    mode = config.get("pooling_mode") or (
        _POOLING_FLAGS.get(modes[0], modes[0]) if len(modes) == 1 else " + ".join(modes) or "mean"
    )
    if mode not in POOLING_MODES:
        raise BaseModelError(
            f"base model {name} pools by {mode}; supported are {', '.join(POOLING_MODES)}"
        )
    return str(mode)
