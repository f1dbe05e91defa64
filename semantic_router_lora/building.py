"""From the files of a base and an adapter to an engine that was seen to work."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from semantic_router_lora.adapters.direct_merge import direct_merge_obstacle, merge_directly
from semantic_router_lora.adapters.read import Adapter
from semantic_router_lora.base_models import BaseModel
from semantic_router_lora.engines.bert import BertConfig, read_bert_config
from semantic_router_lora.engines.processor import bfloat16_is_fast, onednn_is_faster
from semantic_router_lora.errors import (
    AdapterFormatError,
    AdapterMismatchError,
    BaseModelError,
    InputError,
)
from semantic_router_lora.tokenization import TextTokenizer, load_tokenizer

if TYPE_CHECKING:
    import torch

    from semantic_router_lora.engines.protocol import Engine

logger = logging.getLogger(__name__)

EngineName = Literal["auto", "packed", "transformers", "onnx"]
ENGINES: tuple[EngineName, ...] = ("auto", "packed", "transformers", "onnx")

# An adapter must move some probe vector by more than this; rounding alone stays far below.
_NO_OP_TOLERANCE = 1e-5
PROBES = ("What are the symptoms of diabetes?", "How do I undo the last commit?")
# dtype="auto" keeps float32 unless every probe's vector stays this close to it.
_LEAST_COSINE = 0.9998
_PRECISION_PROBES = (
    *PROBES,
    "",
    "hi",
    "2024-03-01: invoice 7714, 1,299.00 EUR, due in 30 days",
    "Can I cancel my subscription before it renews, and will I get my money back? " * 12,
)
_fallbacks_told: set[str] = set()


@dataclass(frozen=True)
class Built:
    """An engine, the tokenizer that feeds it, and what ``auto`` came to."""

    tokenizer: TextTokenizer
    engine: Engine
    engine_name: EngineName
    dtype: str


def build(
    base: BaseModel,
    adapter: Adapter | None,
    *,
    device: torch.device,
    dtype: str = "float32",
    engine: EngineName = "auto",
) -> Built:
    """Load a base, merge an adapter into it, and try the result.

    Raises:
        BaseModelError: if the base cannot be read, or its vectors are not finite.
        AdapterFormatError: if the adapter's settings or tokenizer cannot be used.
        AdapterMismatchError: if the adapter does not belong to the base, or changes nothing.
        InputError: if ``engine="packed"`` cannot run this base, adapter or device.
    """
    if adapter is not None:
        check_base(base, adapter)
    who = base.name if adapter is None else f"{base.name} with adapter {adapter.name}"
    config = _packed_config(base, adapter, device, engine, who)
    if config is not None:
        built = _build_packed(base, adapter, config, dtype)
    else:
        built = _build_transformers(base, adapter, device, "float32" if dtype == "auto" else dtype)
    if not np.isfinite(built.engine.embed(built.tokenizer(PROBES))).all():
        raise BaseModelError(
            f"{who} gives NaN or infinite vectors in {built.dtype}: its weights are not finite, "
            f"or too large for that type"
        )
    return built


def _packed_config(
    base: BaseModel, adapter: Adapter | None, device: torch.device, engine: EngineName, who: str
) -> BertConfig | None:
    """The base's sizes if the packed engine is to run it; None for the transformers engine."""
    if engine == "transformers" or (engine == "auto" and device.type != "cpu"):
        return None
    config = read_bert_config(base)
    obstacle = config if isinstance(config, str) else None
    if device.type != "cpu":
        obstacle = f"it runs on the CPU, not on {device}"
    elif adapter is not None and isinstance(config, BertConfig):
        reason = direct_merge_obstacle(adapter, config.linear_layers())
        obstacle = f"of the adapter: {reason}" if reason else None
    if obstacle is None:
        return cast(BertConfig, config)
    if engine == "packed":
        raise InputError(f"engine='packed' cannot run {who}, because {obstacle}")
    message = f"{who} runs on the slower transformers engine, because {obstacle}"
    if message not in _fallbacks_told:
        _fallbacks_told.add(message)
        logger.warning(message)
    return None


def _build_transformers(
    base: BaseModel, adapter: Adapter | None, device: torch.device, dtype: str
) -> Built:
    import torch

    from semantic_router_lora.adapters.merge import merge_adapter
    from semantic_router_lora.engines.transformers import (
        LOADING,
        TransformersEngine,
        load_model,
        position_count,
    )

    with LOADING:
        model = load_model(base)
        rows = cast(torch.nn.Embedding, model.get_input_embeddings()).num_embeddings
        tokenizer = tokenizer_for(base, adapter, position_count(model), rows)
        if adapter is not None:
            probes = [torch.tensor([ids]) for ids in tokenizer(PROBES)]
            with torch.inference_mode():
                before = [model.eval()(input_ids=ids)[0] for ids in probes]
            model = merge_adapter(model, adapter)
            with torch.inference_mode():
                after = [model.eval()(input_ids=ids)[0] for ids in probes]
            changes = [float((a - b).abs().max()) for a, b in zip(after, before, strict=True)]
            check_effect(base, adapter, float(np.max(changes)))
    engine = TransformersEngine(
        model.to(getattr(torch, dtype)),
        pooling=base.pooling,
        pad_id=model.config.pad_token_id or 0,
        device=device,
    )
    return Built(tokenizer, engine, "transformers", dtype)


def _build_packed(
    base: BaseModel, adapter: Adapter | None, config: BertConfig, dtype: str
) -> Built:
    import torch

    from semantic_router_lora.engines.bert_weights import read_bert_weights
    from semantic_router_lora.engines.packed import PackedEngine

    tokenizer = tokenizer_for(base, adapter, config.max_position_embeddings, config.vocab_size)
    weights = read_bert_weights(base.folder, config)
    if adapter is not None:
        plain, probes = PackedEngine(weights, pooling=base.pooling), tokenizer(PROBES)
        before = plain.hidden(probes)
        merge_directly(weights.linear_weights(), adapter, config.linear_layers())
        check_effect(base, adapter, float((plain.hidden(probes) - before).abs().max()))
        del plain

    def packed(dtype: str) -> Built:
        typed = weights if dtype == "float32" else weights.to(getattr(torch, dtype))
        onednn = onednn_is_faster(dtype)
        runs = PackedEngine(typed, pooling=base.pooling, onednn=onednn)
        return Built(tokenizer, runs, "packed", dtype)

    if dtype != "auto":
        return packed(dtype)
    exact = packed("float32")
    if not bfloat16_is_fast():
        return exact
    probes, half = tokenizer(_PRECISION_PROBES), packed("bfloat16")
    cosine = float((half.engine.embed(probes) * exact.engine.embed(probes)).sum(axis=1).min())
    if cosine >= _LEAST_COSINE:
        return half
    logger.info("%s stays in float32: in bfloat16, a probe has a cosine of %.5f", base.name, cosine)
    return exact


def check_base(base: BaseModel, adapter: Adapter) -> None:
    """Refuse an adapter that says that it was trained on other weights."""
    if adapter.base_sha256 not in (None, base.weights_sha256):
        raise AdapterMismatchError(
            f"adapter {adapter.name} was trained on {adapter.base_model} with weights of SHA-256 "
            f"{adapter.base_sha256}; the base found has {base.weights_sha256}"
        )


def check_effect(base: BaseModel, adapter: Adapter, change: float) -> None:
    """Refuse an adapter without effect; what is not finite is refused for that, later."""
    if change <= _NO_OP_TOLERANCE:
        raise AdapterMismatchError(
            f"adapter {adapter.name} changes nothing in {base.name} "
            f"(largest change of a token vector: {change:.1e})"
        )


def tokenizer_for(
    base: BaseModel, adapter: Adapter | None, positions: int, rows: int
) -> TextTokenizer:
    """The adapter's own tokenizer or the base's, for so many positions and embedding rows."""
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
    if tokenizer.highest_id >= rows:
        problem = (
            f"has a token of number {tokenizer.highest_id}, but {base.name} embeds only {rows}"
        )
        if own is not None:
            raise AdapterMismatchError(f"the adapter's own tokenizer {own} {problem}")
        raise BaseModelError(f"its tokenizer {problem}")
    return tokenizer
