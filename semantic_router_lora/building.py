"""From the files of a base and an adapter to an engine that was seen to work."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from semantic_router_lora.adapters.merge import merge_adapter
from semantic_router_lora.adapters.read import Adapter
from semantic_router_lora.base_models import BaseModel
from semantic_router_lora.errors import AdapterFormatError, AdapterMismatchError, BaseModelError
from semantic_router_lora.tokenization import TextTokenizer, load_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from semantic_router_lora.engines.transformers import TransformersEngine

# An adapter must move some probe vector by more than this; rounding alone stays far below.
_NO_OP_TOLERANCE = 1e-5
_PROBES = ("What are the symptoms of diabetes?", "How do I undo the last commit?")


def build(
    base: BaseModel, adapter: Adapter | None, device: torch.device, dtype: str
) -> tuple[TextTokenizer, TransformersEngine]:
    """Load a base, merge an adapter into it, and try the result.

    Raises:
        BaseModelError: if the base cannot be read, or its vectors are not finite.
        AdapterFormatError: if the adapter's settings or tokenizer cannot be used.
        AdapterMismatchError: if the adapter does not belong to the base, or changes nothing.
    """
    import torch

    from semantic_router_lora.engines.transformers import (
        LOADING,
        TransformersEngine,
        load_model,
        position_count,
    )

    with LOADING:
        model = load_model(base)
        tokenizer = _tokenizer(base, adapter, model, position_count(model))
        if adapter is not None:
            model = _merged(base, adapter, model, tokenizer)
    engine = TransformersEngine(
        model.to(getattr(torch, dtype)),
        pooling=base.pooling,
        pad_id=model.config.pad_token_id or 0,
        device=device,
    )
    if not np.isfinite(engine.embed(tokenizer(_PROBES))).all():
        who = base.name if adapter is None else f"{base.name} with adapter {adapter.name}"
        raise BaseModelError(
            f"{who} gives NaN or infinite vectors in {dtype}: its weights are not finite, or too "
            f"large for that type"
        )
    return tokenizer, engine


def _tokenizer(
    base: BaseModel, adapter: Adapter | None, model: PreTrainedModel, positions: int
) -> TextTokenizer:
    own = adapter.tokenizer if adapter is not None else None
    try:
        tokenizer = load_tokenizer(
            own or base.folder,
            lower_case=base.lower_case,
            max_length=base.max_seq_length,
            positions=positions,
        )
    except BaseModelError as error:
        if own is None:
            raise
        raise AdapterFormatError(f"the adapter's own tokenizer: {error}") from error
    rows = cast("torch.nn.Embedding", model.get_input_embeddings()).num_embeddings
    if tokenizer.highest_id >= rows:
        problem = (
            f"has a token of number {tokenizer.highest_id}, but {base.name} embeds only {rows}"
        )
        if own is not None:
            raise AdapterMismatchError(f"the adapter's own tokenizer {own} {problem}")
        raise BaseModelError(f"its tokenizer {problem}")
    return tokenizer


def _merged(
    base: BaseModel, adapter: Adapter, model: PreTrainedModel, tokenizer: TextTokenizer
) -> PreTrainedModel:
    import torch

    if adapter.base_sha256 not in (None, base.weights_sha256):
        raise AdapterMismatchError(
            f"adapter {adapter.name} was trained on {adapter.base_model} with weights of SHA-256 "
            f"{adapter.base_sha256}; the base found has {base.weights_sha256}"
        )

    def probe() -> torch.Tensor:
        with torch.inference_mode():
            return torch.cat(
                [model(input_ids=torch.tensor([ids]))[0][0] for ids in tokenizer(_PROBES)]
            )

    model.eval()
    before = probe()
    model = merge_adapter(model, adapter).eval()
    change = float((probe() - before).abs().max())
    if not change > _NO_OP_TOLERANCE:
        raise AdapterMismatchError(
            f"adapter {adapter.name} changes nothing in {base.name} "
            f"(largest change of a token vector: {change:.1e})"
        )
    return model
