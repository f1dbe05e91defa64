"""Reading an adapter folder, trusting nothing in it.

Only a known set of LoRA settings is accepted: what this package does not know how to apply must
not be dropped in silence, because the vectors would be wrong without a sign of it.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_router_lora.adapters import layout
from semantic_router_lora.errors import AdapterFormatError
from semantic_router_lora.reference import parse_hub_id

if TYPE_CHECKING:
    from torch import Tensor

MAX_CONFIG_BYTES = 1_000_000
_MAX_PATTERN = 500
_NESTED_QUANTIFIER = re.compile(r"[+*}]\??\)+[+*{]")
MAX_RANK = 1024  # beyond the width of any supported encoder a rank has no meaning

# Settings that decide the merged weights, handed on to peft.
APPLIED = (
    "r",
    "lora_alpha",
    "target_modules",
    "exclude_modules",
    "layers_to_transform",
    "layers_pattern",
    "rank_pattern",
    "alpha_pattern",
    "fan_in_fan_out",
    "use_rslora",
    "use_dora",
    "bias",
    "lora_bias",
    "modules_to_save",
)
# Settings that matter to training or to bookkeeping only.
INERT = frozenset(
    {
        "auto_mapping",
        "base_model_name_or_path",
        "ensure_weight_tying",
        "inference_mode",
        "init_lora_weights",
        "lora_dropout",
        "lora_ga_config",
        "megatron_core",
        "peft_type",
        "peft_version",
        "qalora_group_size",
        "revision",
        "runtime_config",
        "task_type",
    }
)
# Initialisations that also change the base's own weights: such an adapter fits only a base that
# went through the same change.
_BASE_CHANGING_INITS = ("pissa", "olora", "corda", "eva", "loftq", "lora_ga")


@dataclass(frozen=True)
class Adapter:
    """An adapter as read from its folder.

    Attributes:
        name: as it stands in a reference.
        folder: where its files lie.
        base_model: the base that its configuration names, with its revision, or None.
        config: the settings of `APPLIED` that the configuration holds.
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
    config = _applied_settings(name, raw)
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


def _applied_settings(name: str, raw: dict[str, Any]) -> dict[str, Any]:
    kind = raw.get("peft_type")
    if kind != "LORA":
        raise AdapterFormatError(f"adapter {name}: peft_type is {kind!r}; only LORA is supported")
    initialisation = str(raw.get("init_lora_weights", True)).lower()
    if initialisation.startswith(_BASE_CHANGING_INITS):
        raise AdapterFormatError(
            f"adapter {name}: init_lora_weights={initialisation!r} changes the base's own weights; "
            f"convert it to plain LoRA first (peft: path_initial_model_for_weight_conversion)"
        )
    for key, value in raw.items():
        if key not in APPLIED and key not in INERT and value not in (None, False, {}, []):
            raise AdapterFormatError(
                f"adapter {name}: {layout.CONFIG} sets {key}={value!r}, which is not supported"
            )
    config = {key: raw[key] for key in APPLIED if raw.get(key) not in (None, {}, [])}
    ranks = [config.get("r", 8), *_values(name, config, "rank_pattern")]
    if not all(type(rank) is int and 0 < rank <= MAX_RANK for rank in ranks):
        raise AdapterFormatError(
            f"adapter {name}: rank {ranks} is not made of integers from 1 to {MAX_RANK}"
        )
    alphas = [config.get("lora_alpha", 8), *_values(name, config, "alpha_pattern")]
    if not all(type(alpha) in (int, float) and math.isfinite(alpha) for alpha in alphas):
        raise AdapterFormatError(f"adapter {name}: lora_alpha {alphas} is not made of numbers")
    patterns = [config.get("target_modules"), config.get("exclude_modules")]
    patterns += [*config.get("rank_pattern", {}), *config.get("alpha_pattern", {})]
    for pattern in patterns:
        if isinstance(pattern, str):
            _check_pattern(name, pattern)
    return config


def _check_pattern(name: str, pattern: str) -> None:
    """Refuse a regular expression that does not compile, or that could run for ever."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise AdapterFormatError(
            f"adapter {name}: {pattern!r} is no regular expression: {error}"
        ) from error
    if len(pattern) > _MAX_PATTERN or _NESTED_QUANTIFIER.search(pattern):
        raise AdapterFormatError(
            f"adapter {name}: {pattern[:80]!r} is too long or repeats a repetition: refused, "
            f"because matching it could take for ever"
        )


def _values(name: str, config: dict[str, Any], key: str) -> list[Any]:
    pattern = config.get(key, {})
    if not isinstance(pattern, dict):
        raise AdapterFormatError(f"adapter {name}: {key} is {pattern!r}, expected an object")
    return list(pattern.values())


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
    if not tensors:
        raise AdapterFormatError(f"adapter {name}: {path.name} holds no tensors")
    for key, tensor in tensors.items():
        if tensor.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
            raise AdapterFormatError(
                f"adapter {name}: {key} is of type {tensor.dtype}, expected floating point of 16, "
                f"32 or 64 bits"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise AdapterFormatError(f"adapter {name}: {key} holds NaN or infinite values")
    return data, tensors
