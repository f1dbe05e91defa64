"""What the configuration says: method, rank, scaling, base."""

from __future__ import annotations

import math
import re
from typing import Any

from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.settings import applied_settings
from semantic_router_lora.checking.outcome import Outcome, failed, verdict
from semantic_router_lora.checking.subject import Subject
from semantic_router_lora.errors import AdapterFormatError
from semantic_router_lora.reference import parse_hub_id

# Usual are 1 to 4.
MAX_SCALING = 64
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_config(subject: Subject) -> Outcome:
    """A LoRA that this package applies, with a rank, a scaling and patterns in reason."""
    raw = subject.documents[layout.CONFIG]
    try:
        config = applied_settings(subject.name, raw)
    except AdapterFormatError as error:
        return failed([str(error)])
    for key in ("r", "lora_alpha", "target_modules"):
        if key not in config:
            return failed([f"{layout.CONFIG} does not set {key}"])
    scaling = _largest_scaling(config)
    problems = []
    if not 0 < scaling <= MAX_SCALING:
        problems.append(f"updates are scaled by {scaling:g}, expected 0 to {MAX_SCALING}")
    targets = config["target_modules"]
    return verdict(
        problems,
        f"LoRA of rank {config['r']}, scaling {scaling:g}, on "
        f"{', '.join(sorted(targets)) if isinstance(targets, list) else targets}",
    )


def _largest_scaling(config: dict[str, Any]) -> float:
    """The largest of any layer, or one that is not above zero."""
    alphas = [config["lora_alpha"], *config.get("alpha_pattern", {}).values()]
    least = min([config["r"], *config.get("rank_pattern", {}).values()])
    if min(alphas) <= 0:
        return float(min(alphas))
    return float(max(alphas) / (math.sqrt(least) if config.get("use_rslora") else least))


def check_base(subject: Subject) -> Outcome:
    """One base, by a name that means the same to everybody, in all files."""
    config = subject.documents[layout.CONFIG]
    name = config.get("base_model_name_or_path")
    if not isinstance(name, str) or not name:
        return failed([f"{layout.CONFIG} names no base_model_name_or_path"])
    if parse_hub_id(name) is None:
        return failed([f"the base {name[:80]!r} is no Hub id (owner/name)"])
    info = subject.documents.get(layout.TRAINING_INFO)
    problems = []
    if info is not None:
        trained, digest = info.get("base_model"), info.get("base_model_sha256")
        if trained not in (name, subject.named_base):
            problems.append(
                f"{layout.CONFIG} names the base {name}, {layout.TRAINING_INFO} "
                f"{str(trained)[:80]!r}"
            )
        if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            problems.append(
                f"{layout.TRAINING_INFO}: base_model_sha256 is {str(digest)[:80]!r}, expected a "
                f"SHA-256 in hexadecimal"
            )
    return verdict(problems, str(subject.named_base))
