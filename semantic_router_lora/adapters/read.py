"""Reading an adapter folder, trusting nothing in it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.settings import MAX_RANK as MAX_RANK
from semantic_router_lora.adapters.settings import applied_settings
from semantic_router_lora.errors import AdapterFormatError
from semantic_router_lora.reference import parse_hub_id

if TYPE_CHECKING:
    from torch import Tensor

MAX_CONFIG_BYTES = 1_000_000
_EXPECTED = "expected floating point of 16, 32 or 64 bits"


@dataclass(frozen=True)
class Adapter:
    """An adapter as read from its folder.

    Attributes:
        name: as it stands in a reference.
        folder: where its files lie.
        base_model: the base that its configuration names, with its revision, or None.
        config: the settings of `settings.APPLIED` that the configuration holds.
        tensors: the weights by their peft key, as stored.
        tokenizer: the folder's own tokenizer file, or None.
        base_sha256: SHA-256 of the base weights that it was trained on, if it was recorded.
        fingerprint: SHA-256 of the weights, of the tokenizer and of every setting that decides the
            merged model, as they were read.
    """

    name: str
    folder: Path
    base_model: str | None
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    tokenizer: Path | None
    base_sha256: str | None
    fingerprint: str


def read_adapter(name: str, folder: Path) -> Adapter:
    """Read and check an adapter folder.

    Raises:
        AdapterFormatError: if a file is missing, corrupt or not finite, or the adapter is of a
            kind that this package does not apply.
    """
    raw = read_config(name, folder)
    config = applied_settings(name, raw)
    tokenizer = folder / layout.TOKENIZER
    info = read_info(name, folder / layout.TRAINING_INFO)
    data, tensors = _read_weights(name, folder / layout.WEIGHTS)
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    digest.update(data)
    if tokenizer.is_file():
        digest.update(tokenizer.read_bytes())
    return Adapter(
        name=name,
        folder=folder,
        base_model=named_base(raw),
        config=config,
        tensors=tensors,
        tokenizer=tokenizer if tokenizer.is_file() else None,
        base_sha256=info.get("base_model_sha256"),
        fingerprint=digest.hexdigest(),
    )


def named_base(raw: dict[str, Any]) -> str | None:
    """The base that a configuration names; peft's ``revision`` is the base's, not the adapter's."""
    base, revision = raw.get("base_model_name_or_path"), raw.get("revision")
    if not isinstance(base, str) or not base:
        return None
    hub_id = parse_hub_id(base)
    if isinstance(revision, str) and revision and hub_id and not hub_id.revision:
        return f"{base}@{revision}"
    return base


def read_config(name: str, folder: Path) -> dict[str, Any]:
    """The raw adapter_config.json.

    Raises:
        AdapterFormatError: if it is missing, too large or no JSON object.
    """
    return _read_object(name, folder / layout.CONFIG)


def read_info(name: str, path: Path) -> dict[str, Any]:
    """An optional JSON file of the folder; empty if it is not there.

    Raises:
        AdapterFormatError: if it is too large or no JSON object.
    """
    return _read_object(name, path) if path.is_file() else {}


def _read_object(name: str, path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise AdapterFormatError(f"adapter {name}: {path.name} is larger than a megabyte")
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AdapterFormatError(f"adapter {name}: {path} does not exist") from error
    except (ValueError, RecursionError) as error:
        raise AdapterFormatError(f"adapter {name}: {path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise AdapterFormatError(f"adapter {name}: {path} holds no JSON object")
    return content


def _read_weights(name: str, path: Path) -> tuple[bytes, dict[str, Tensor]]:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        data = path.read_bytes()
        tensors = load(data)
    except FileNotFoundError as error:
        raise AdapterFormatError(f"adapter {name}: {path} does not exist") from error
    except SafetensorError as error:
        raise AdapterFormatError(
            f"adapter {name}: {path.name} ({path.stat().st_size} bytes) is corrupt or cut short "
            f"({error}); fetch it again, as a binary file"
        ) from error
    except KeyError as error:  # a type that the format has and PyTorch lacks
        raise AdapterFormatError(
            f"adapter {name}: {path.name} holds tensors of type {error.args[0]}, {_EXPECTED}"
        ) from error
    if not tensors:
        raise AdapterFormatError(f"adapter {name}: {path.name} holds no tensors")
    for key, tensor in tensors.items():
        if tensor.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
            raise AdapterFormatError(
                f"adapter {name}: {key} is of type {tensor.dtype}, {_EXPECTED}"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise AdapterFormatError(f"adapter {name}: {key} holds NaN or infinite values")
    return data, tensors
