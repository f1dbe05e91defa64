"""The weights: finite, of a sane size, not without effect, and made for the base."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from semantic_router_lora.adapters import layout
from semantic_router_lora.checking.outcome import Outcome, failed, passed, warned
from semantic_router_lora.checking.subject import Subject

if TYPE_CHECKING:
    from semantic_router_lora.adapters.read import Adapter
    from semantic_router_lora.base_models import BaseModel

# The largest weight of an adapter that was trained is around 1.
MAX_WEIGHT = 100.0
_LISTED = 3


def check_weights(subject: Subject) -> Outcome:
    """Every weight is a finite number, and none is absurdly large."""
    from semantic_router_lora.adapters.read import read_adapter

    adapter = read_adapter(subject.name, subject.folder)
    largest = {key: float(tensor.abs().max()) for key, tensor in adapter.tensors.items()}
    key = max(largest, key=lambda name: largest[name])
    if largest[key] > MAX_WEIGHT:
        return failed([f"{key} has a weight of {largest[key]:.3g}, at most {MAX_WEIGHT:g} is sane"])
    subject.adapter = adapter
    return passed(f"all finite, none above {largest[key]:.3g}")


def check_effect(subject: Subject) -> Outcome:
    """The update B A is not zero: peft starts with B = 0, and so does a file of no training."""
    tensors = cast("Adapter", subject.adapter).tensors
    downs = [key for key in tensors if ".lora_A." in key]
    zero = [
        key
        for key in downs
        if not (tensors[key].any() and tensors.get(_up(key), tensors[key]).any())
    ]
    others = [key for key in tensors if ".lora_" not in key]
    if len(zero) == len(downs) and not any(tensors[key].any() for key in others):
        return failed([f"all {len(downs)} updates are zero: it changes nothing"])
    if zero:
        return warned([f"{len(zero)} of {len(downs)} updates are zero, e.g. {zero[0]}"])
    return passed(f"{len(downs)} layers are changed")


def _up(key: str) -> str:
    return key.replace(".lora_A.", ".lora_B.")


def check_base_weights(subject: Subject) -> Outcome:
    """The base can be found, and has the weights that the adapter was trained on."""
    from semantic_router_lora.base_models import resolve_base

    reference = subject.base or subject.named_base
    base = resolve_base(cast(str, reference))
    recorded = subject.documents.get(layout.TRAINING_INFO, {}).get("base_model_sha256")
    if recorded is not None and recorded != base.weights_sha256:
        return failed(
            [
                f"{layout.TRAINING_INFO} records base_model_sha256 {str(recorded)[:80]}; "
                f"{base.name} has {base.weights_sha256}"
            ]
        )
    subject.base_model = base
    return passed(f"{base.name} has SHA-256 {base.weights_sha256}")


def check_fit(subject: Subject) -> Outcome:
    """Every key of the file finds its place in the base, and every target gets its weights."""
    from semantic_router_lora.adapters.direct_merge import direct_merge_obstacle, low_rank_factors
    from semantic_router_lora.engines.bert import BertConfig, read_bert_config

    base = cast("BaseModel", subject.base_model)
    adapter = cast("Adapter", subject.adapter)
    config = read_bert_config(base)
    if isinstance(config, BertConfig):
        layers = config.linear_layers()
        if direct_merge_obstacle(adapter, layers) is None:
            low_rank_factors(adapter, layers)
            return _fits(adapter)
    from semantic_router_lora.adapters.merge import merge_adapter
    from semantic_router_lora.engines.transformers import LOADING, load_model

    with LOADING:
        merge_adapter(load_model(base), adapter)
    return _fits(adapter)


def _fits(adapter: Adapter) -> Outcome:
    targets = adapter.config["target_modules"]
    names = [targets] if isinstance(targets, str) else targets
    unused = [
        name
        for name in names
        if not isinstance(targets, str)
        and not any(f".{name}.lora_A" in key for key in adapter.tensors)
    ]
    found = f"{len(adapter.tensors)} tensors, each with its place in the base"
    if unused:
        return warned([f"{found}; no layer is called {', '.join(unused[:_LISTED])}"])
    return passed(found)
