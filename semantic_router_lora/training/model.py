"""The model that is trained: a base with an adapter in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from semantic_router_lora.base_models import BaseModel
from semantic_router_lora.errors import BaseModelError
from semantic_router_lora.training.recipe import Recipe
from semantic_router_lora.training.targets import POOLER, find_targets
from semantic_router_lora.training.verify import PROBES, TOLERANCE

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import nn


def adapted_model(recipe: Recipe, base: BaseModel, device: str) -> SentenceTransformer:
    """The base with a new adapter, whose weights follow from the recipe's seed.

    Raises:
        DataError: if the recipe's target_modules are not those of the base.
        BaseModelError: if `Embedder` cannot use the base, or gives other vectors with it than
            sentence-transformers: what is trained could never be proven.
    """
    import torch
    from peft import LoraConfig
    from sentence_transformers import SentenceTransformer
    from transformers import set_seed

    model = SentenceTransformer(
        str(base.folder), device=device, model_kwargs={"dtype": torch.float32}
    )
    _check_base(model, base)
    encoder: Any = model[0].model
    targets = find_targets(encoder, recipe.target_modules)
    if recipe.base_dropout is not None:
        _set_dropout(encoder, recipe.base_dropout)
    set_seed(recipe.seed)
    model.add_adapter(
        LoraConfig(
            r=recipe.r,
            lora_alpha=recipe.lora_alpha,
            lora_dropout=recipe.lora_dropout,
            target_modules=targets,
            exclude_modules=POOLER,
            task_type="FEATURE_EXTRACTION",
        )
    )
    return model


def _check_base(model: SentenceTransformer, base: BaseModel) -> None:
    import numpy as np

    from semantic_router_lora.embedder import Embedder

    theirs = model.encode(list(PROBES), normalize_embeddings=True, show_progress_bar=False)
    ours = Embedder(str(base.folder), device="cpu").encode(list(PROBES))
    off = float(np.abs(theirs - ours).max())
    if not off <= TOLERANCE:
        raise BaseModelError(
            f"base model {base.name}: sentence-transformers gives other vectors than this package, "
            f"off by {off:.1e}; an adapter for it could not be proven"
        )


def _set_dropout(base: nn.Module, share: float) -> None:
    from torch import nn

    for module in base.modules():
        if isinstance(module, nn.Dropout):
            module.p = share
        for name in ("dropout_prob", "attention_dropout"):  # kept as a number by attention layers
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, share)


def trainable_parameters(model: SentenceTransformer) -> int:
    """How many numbers are trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def interpolate(model: SentenceTransformer, share: float) -> None:
    """Keep a share of the update, in the running model and in what is going to be written."""
    from peft.tuners.lora import LoraLayer

    encoder: Any = model[0].model
    for module in encoder.modules():
        if isinstance(module, LoraLayer):
            module.scale_layer(share)
    config = encoder.peft_config["default"]
    scaled = config.lora_alpha * share
    config.lora_alpha = int(scaled) if scaled == int(scaled) else scaled


def round_weights(model: SentenceTransformer, dtype: str) -> None:
    """Give the running adapter the weights that a file of such a type holds."""
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.copy_(parameter.to(getattr(torch, dtype)))


def device() -> str:
    """Where to train: a GPU if there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def has_fast_bf16() -> bool:
    """Whether a step of training is faster with matrix products in bfloat16; see `processor`."""
    import torch

    from semantic_router_lora.engines.processor import bfloat16_is_fast

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bfloat16_is_fast()
