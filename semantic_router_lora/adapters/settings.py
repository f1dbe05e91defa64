"""The LoRA settings of an adapter's configuration, and which of them this package applies.

Only a known set is accepted: what this package does not know how to apply must not be dropped in
silence, because the vectors would be wrong without a sign of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.patterns import check_patterns
from semantic_router_lora.errors import AdapterFormatError

MAX_RANK = 1024  # beyond the width of any supported encoder a rank has no meaning
MAX_ALPHA = 1_000_000

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
# Those that hold one value, or several, of one type.
_NAMES: dict[str, type] = {
    "target_modules": str,
    "exclude_modules": str,
    "layers_pattern": str,
    "modules_to_save": str,
    "layers_to_transform": int,
}
_FLAGS = ("fan_in_fan_out", "use_rslora", "use_dora", "lora_bias")
_BIASES = ("none", "all", "lora_only")
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


def applied_settings(name: str, raw: dict[str, Any]) -> dict[str, Any]:
    """The settings of a configuration that decide the merged weights.

    Raises:
        AdapterFormatError: if it is of a kind that this package does not apply, or a setting has
            a value that cannot be meant.
    """
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
    if not all(type(alpha) in (int, float) and abs(alpha) <= MAX_ALPHA for alpha in alphas):
        raise AdapterFormatError(
            f"adapter {name}: lora_alpha {alphas} is not made of numbers up to {MAX_ALPHA}"
        )
    _check_types(name, config)
    try:
        check_patterns(_regular_expressions(config))
    except ValueError as error:
        raise AdapterFormatError(f"adapter {name}: {error}") from error
    return config


def _check_types(name: str, config: dict[str, Any]) -> None:
    """Refuse what peft and `low_rank_factors` would stumble over."""
    if config.get("bias", "none") not in _BIASES:
        raise AdapterFormatError(
            f"adapter {name}: bias is {str(config['bias'])[:80]!r}, expected {', '.join(_BIASES)}"
        )
    for key in _FLAGS:
        if not isinstance(config.get(key, False), bool):
            raise AdapterFormatError(
                f"adapter {name}: {key} is {str(config[key])[:80]!r}, expected true or false"
            )
    for key, wanted in _NAMES.items():
        value = config.get(key)
        each = value if isinstance(value, list) else [value]
        if value is not None and not all(type(item) is wanted for item in each):
            raise AdapterFormatError(
                f"adapter {name}: {key} is {str(value)[:80]!r}, expected {wanted.__name__} "
                f"or a list of it"
            )


def _regular_expressions(config: dict[str, Any]) -> Iterator[str]:
    """What peft matches as regular expressions, in whole or in part."""
    for key in ("target_modules", "exclude_modules"):
        if isinstance(config.get(key), str):
            yield config[key]
    for key in ("layers_pattern", "modules_to_save"):
        value = config.get(key, [])
        yield from [value] if isinstance(value, str) else value
    yield from config.get("rank_pattern", {})
    yield from config.get("alpha_pattern", {})


def _values(name: str, config: dict[str, Any], key: str) -> list[Any]:
    pattern = config.get(key, {})
    if not isinstance(pattern, dict):
        raise AdapterFormatError(f"adapter {name}: {key} is {pattern!r}, expected an object")
    return list(pattern.values())
