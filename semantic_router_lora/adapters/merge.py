"""Merging an adapter into a base model, through peft."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from semantic_router_lora.adapters.read import Adapter
from semantic_router_lora.errors import AdapterFormatError, AdapterMismatchError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def merge_adapter(model: PreTrainedModel, adapter: Adapter) -> PreTrainedModel:
    """Fold an adapter's weights into the model's own, in place, and return the model.

    W ← W + scaling · B A for plain LoRA (Hu et al. 2021, arXiv 2106.09685), and what peft does
    for rsLoRA, DoRA, bias and pattern settings.

    Args:
        model: the base, in float32.
        adapter: what to merge.

    Raises:
        AdapterFormatError: if peft does not accept the configuration.
        AdapterMismatchError: if a key of the file finds no place in the base, a place stays
            without weights, or a shape differs.
    """
    from peft import (
        LoraConfig,
        get_peft_model,
        get_peft_model_state_dict,
        set_peft_model_state_dict,
    )
    from torch.nn import Linear

    try:
        with warnings.catch_warnings():
            # peft asks transformers by a name that is on its way out; no user can act on that
            warnings.simplefilter("ignore", FutureWarning)
            wrapped = get_peft_model(model, LoraConfig(**adapter.config))
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        if "target modules" in str(error).lower():
            linear = [n for n, module in model.named_modules() if isinstance(module, Linear)]
            raise no_target(adapter, type(model).__name__, linear) from error
        raise AdapterFormatError(f"adapter {adapter.name}: peft refuses it: {error}") from error
    # Without this, a wrong base loads with no more than a warning: peft leaves what it finds no
    # weights for at its initial value and passes over what it finds no place for.
    expected = get_peft_model_state_dict(wrapped, save_embedding_layers=False)
    compare_weights(adapter, {key: tuple(tensor.shape) for key, tensor in expected.items()})
    float32 = {key: tensor.float() for key, tensor in adapter.tensors.items()}
    set_peft_model_state_dict(wrapped, float32)
    return cast("PreTrainedModel", wrapped.merge_and_unload())


def compare_weights(adapter: Adapter, expected: dict[str, tuple[int, ...]]) -> None:
    """Compare an adapter's weights with what the base takes, by key and shape.

    Raises:
        AdapterMismatchError: if they differ.
    """
    found = {key: tuple(tensor.shape) for key, tensor in adapter.tensors.items()}
    unexpected = sorted(found.keys() - expected.keys())
    missing = sorted(expected.keys() - found.keys())
    reshaped = sorted(key for key in found.keys() & expected.keys() if found[key] != expected[key])
    problems = []
    if unexpected:
        problems.append(f"{len(unexpected)} keys have no place in the base, e.g. {unexpected[0]}")
    if missing:
        problems.append(f"{len(missing)} places of the base get no weights, e.g. {missing[0]}")
    if reshaped:
        key = reshaped[0]
        problems.append(
            f"{len(reshaped)} shapes differ, e.g. {key}: {found[key]}, "
            f"the base takes {expected[key]}"
        )
    if problems:
        raise AdapterMismatchError(
            f"adapter {adapter.name} (made for {adapter.base_model or 'an unnamed base'}) does not "
            f"fit this base: {'; '.join(problems)}"
        )


def no_target(
    adapter: Adapter, architecture: str, linear_layers: Iterable[str]
) -> AdapterMismatchError:
    """The error of an adapter none of whose target modules is in the base."""
    names = sorted({name.rpartition(".")[2] for name in linear_layers})
    return AdapterMismatchError(
        f"adapter {adapter.name}: target_modules {adapter.config.get('target_modules')} do not "
        f"exist in {architecture}; its linear layers are called {', '.join(names)}"
    )
