"""Several adapters over one base in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.adapters.direct_merge import direct_merge_obstacle, low_rank_factors
from semantic_router_lora.adapters.read import Adapter
from semantic_router_lora.base_models import BaseModel
from semantic_router_lora.batching import WINDOW, cut, progress_bar
from semantic_router_lora.building import PROBES, check_base, check_effect
from semantic_router_lora.errors import AdapterFormatError, BaseModelError

if TYPE_CHECKING:
    from semantic_router_lora.engines.low_rank import LayerUpdate
    from semantic_router_lora.engines.packed import PackedEngine
    from semantic_router_lora.engines.protocol import Engine
    from semantic_router_lora.engines.workers import Workers
    from semantic_router_lora.tokenization import TextTokenizer

    Updates: TypeAlias = tuple[LayerUpdate, ...]


def updates_for(
    engine: PackedEngine,
    base: BaseModel,
    merged: Adapter | None,
    adapter: Adapter | None,
    tokenizer: TextTokenizer,
) -> Updates | None:
    """What turns weights with one adapter merged into those with another, or with none.

    Args:
        engine: whose weights these are, in float32.
        base: the base model.
        merged: the adapter in the weights, or None.
        adapter: the wanted one, or None for the base alone.
        tokenizer: of the wanted one.

    Returns:
        None if the weights are the wanted ones.

    Raises:
        AdapterFormatError: if the adapter is of a kind that can only be merged.
        AdapterMismatchError: if it does not belong to the base, or changes nothing.
        BaseModelError: if its vectors are not finite.
    """
    from semantic_router_lora.engines.low_rank import layer_updates

    if (adapter and adapter.fingerprint) == (merged and merged.fingerprint):
        return None
    layers = engine.config.linear_layers()
    removed = low_rank_factors(merged, layers) if merged else {}
    count = engine.config.num_hidden_layers
    without = layer_updates({}, removed, count)
    if adapter is None:
        return without
    check_base(base, adapter)
    obstacle = direct_merge_obstacle(adapter, layers)
    if obstacle:
        raise AdapterFormatError(
            f"adapter {adapter.name} cannot share a base, because {obstacle}: load it by itself"
        )
    updates = layer_updates(low_rank_factors(adapter, layers), removed, count)
    probes = tokenizer(PROBES)
    before = engine.hidden(probes, [(len(probes), without)])
    after = engine.hidden(probes, [(len(probes), updates)])
    check_effect(base, adapter, float((after - before).abs().max()))
    if not np.isfinite(after.numpy()).all():
        raise BaseModelError(f"{base.name} with adapter {adapter.name} gives no finite vectors")
    return updates


def adapted_engine(engine: PackedEngine, updates: Updates | None) -> Engine:
    """An engine that shares the weights of another."""
    from semantic_router_lora.engines.low_rank import AdaptedEngine

    return engine if updates is None else AdaptedEngine(engine, updates)


def packed_engine(engine: Engine) -> PackedEngine:
    """The engine whose weights one of `adapted_engine` uses."""
    found: Any = getattr(engine, "engine", engine)
    return cast("PackedEngine", found)


def embed_each(
    texts: Sequence[str],
    tokenizers: Sequence[TextTokenizer],
    engines: Sequence[Engine],
    workers: Workers,
    most: int,
    *,
    show_progress: bool = False,
) -> NDArray[np.float32]:
    """Embed texts, each with a tokenizer and an engine of its own.

    Args:
        texts: any number, checked.
        tokenizers: one for each text.
        engines: over the weights of one `packed_engine`, one for each text.
        workers: threads to run in.
        most: tokens of a batch.
        show_progress: draw a progress bar on standard error.

    Returns:
        float32 (texts, dim).
    """
    vectors = np.empty((len(texts), engines[0].dim if engines else 0), dtype=np.float32)
    with progress_bar(len(texts), show_progress) as bar:
        for start in range(0, len(texts), WINDOW):
            window = slice(start, start + WINDOW)
            tokens = tokens_of_each(texts[window], tokenizers[window])
            vectors[window] = embed_mixed(tokens, engines[window], workers, most)
            if bar is not None:
                bar.update(len(tokens))
    return vectors


def tokens_of_each(texts: Sequence[str], tokenizers: Sequence[TextTokenizer]) -> list[list[int]]:
    """Token ids of each text, by a tokenizer of its own."""
    tokens: list[list[int]] = [[]] * len(texts)
    for tokenizer in {id(one): one for one in tokenizers}.values():
        rows = [row for row, one in enumerate(tokenizers) if one is tokenizer]
        for row, ids in zip(rows, tokenizer([texts[row] for row in rows]), strict=True):
            tokens[row] = ids
    return tokens


class _Batch(NamedTuple):
    """Token ids, and how many of them in a row are of which adapter."""

    rows: NDArray[np.intp]
    tokens: list[list[int]]
    segments: list[tuple[int, Updates | None]]


def embed_mixed(
    tokens: Sequence[list[int]], engines: Sequence[Engine], workers: Workers, most: int
) -> NDArray[np.float32]:
    """Embed rows each by an engine of its own; all of them share their weights.

    Args:
        tokens: ids of each row.
        engines: of `adapted_engine`, one for each row.
        workers: threads to run in.
        most: tokens of a batch.

    Returns:
        float32 (rows, dim).
    """
    packed = packed_engine(engines[0])
    count = sum(map(len, tokens))
    batches = list(_batches(tokens, engines, most, workers.parts(count, most)))
    vectors = np.empty((len(tokens), packed.dim), dtype=np.float32)

    def embed(batch: _Batch) -> NDArray[np.float32]:
        return packed.embed(batch.tokens, batch.segments)

    for batch, found in zip(batches, workers.map(embed, batches, count), strict=True):
        vectors[batch.rows] = found
    return vectors


def _batches(
    tokens: Sequence[list[int]], engines: Sequence[Engine], most: int, parts: int
) -> Iterator[_Batch]:
    """Rows of one adapter together, the longest first."""
    numbers = {id(engine): number for number, engine in enumerate(engines)}
    of_row = np.array([numbers[id(engine)] for engine in engines])
    lengths = np.array([len(ids) for ids in tokens])
    order = np.lexsort((-lengths, of_row))
    for batch in cut(lengths[order].tolist(), most, parts, padded=False):
        rows = order[batch]
        kinds, first = np.unique(of_row[rows], return_index=True)
        sizes = np.diff([*first, len(rows)])
        segments = [
            (int(size), getattr(engines[kind], "updates", None))
            for kind, size in zip(kinds, sizes, strict=True)
        ]
        yield _Batch(rows, [tokens[row] for row in rows], segments)
