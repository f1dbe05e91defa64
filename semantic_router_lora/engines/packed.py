"""The engine for BERT: no padding, no transformers.

The texts of a batch lie behind one another in one (tokens, hidden) matrix. All of BERT but its
attention treats tokens one by one, so that padding, which is most of the work on texts of mixed
lengths, has no place in it. Attention runs over runs of texts of equal length.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, groupby, pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import gelu, layer_norm

from semantic_router_lora.engines.attention import Attention
from semantic_router_lora.engines.bert import BertConfig
from semantic_router_lora.engines.bert_weights import BertWeights, Norm
from semantic_router_lora.engines.linear import LinearLayer, Multiplied, OneDnn
from semantic_router_lora.engines.low_rank import LayerUpdate, Rows
from semantic_router_lora.engines.pooling import pool_packed

# Tokens that go through a layer at a time, but for attention. What one step leaves then lies in a
# core's cache for the next one.
_BLOCK = 128
# oneDNN compiles a program for each number of rows, for half a millisecond. So that few numbers
# occur, the rest of a batch is cut once more, and rows are added up to a multiple.
_SMALL_BLOCK, _MULTIPLE = 64, 8


class _Layer(NamedTuple):
    """A layer of the encoder, ready to run; see `bert_weights.Layer`."""

    query_key_value: LinearLayer
    attention_output: LinearLayer
    attention_norm: Norm
    intermediate: LinearLayer
    output: LinearLayer
    output_norm: Norm


class PackedEngine:
    """Runs BERT on the CPU on batches without padding.

    Args:
        weights: the encoder's, with an adapter merged or without.
        pooling: ``cls``, ``max`` or ``mean``.
        onednn: whether linear layers are oneDNN's, from a copy of their weights; else they are
            MKL's, and nothing is copied.

    Attributes:
        config: the sizes of the encoder.
        dim: length of a vector.
    """

    def __init__(self, weights: BertWeights, *, pooling: str, onednn: bool = False) -> None:
        self.config: BertConfig = weights.config
        self.dim = weights.config.hidden_size
        self._pooling = pooling
        self._words, self._positions, self._norm = weights.words, weights.positions, weights.norm
        prepare = OneDnn if onednn else Multiplied
        self._layers = tuple(
            _Layer(
                prepare(layer.query_key_value),
                prepare(layer.attention_output),
                layer.attention_norm,
                prepare(layer.intermediate),
                prepare(layer.output),
                layer.output_norm,
            )
            for layer in weights.layers
        )

    def embed(
        self,
        batch: Sequence[Sequence[int]],
        segments: Sequence[tuple[int, tuple[LayerUpdate, ...] | None]] = (),
    ) -> NDArray[np.float32]:
        """Embed one batch of token ids; see `Engine`.

        With segments, so many texts one after the other are embedded with an adapter beside the
        weights, or with the weights as they are.
        """
        runs = _runs(batch)
        # Entered here, not once at start: the mode is kept per thread.
        with torch.inference_mode():
            vectors: NDArray[np.float32] = pool_packed(
                self._forward(batch, runs, segments), runs, self._pooling
            ).numpy()
        return vectors

    def embed_alone(self, batch: Sequence[Sequence[int]], threads: int) -> NDArray[np.float32]:
        """As `embed`; PyTorch shares the work among the threads that it has in this thread."""
        return self.embed(batch)

    def hidden(
        self,
        batch: Sequence[Sequence[int]],
        segments: Sequence[tuple[int, tuple[LayerUpdate, ...] | None]] = (),
    ) -> Tensor:
        """The last hidden state of every token, (tokens, hidden_size), texts one by one."""
        with torch.inference_mode():
            return self._forward(batch, _runs(batch), segments)

    def _forward(
        self,
        batch: Sequence[Sequence[int]],
        runs: Sequence[tuple[int, int]],
        segments: Sequence[tuple[int, tuple[LayerUpdate, ...] | None]] = (),
    ) -> Tensor:
        config, dim = self.config, self.dim
        tokens = sum(count * length for count, length in runs)
        over = -tokens % _MULTIPLE if tokens > _SMALL_BLOCK else 0
        ids = np.zeros(tokens + over, np.int64)  # the rows beyond are of no text
        ids[:tokens] = np.fromiter(chain.from_iterable(batch), np.int64, tokens)
        x = self._words[torch.from_numpy(ids)]
        start = 0
        for count, length in runs:
            rows = slice(start, start := start + count * length)
            x[rows].view(count, length, dim).add_(self._positions[:length])

        def norm(values: Tensor, parameters: Norm) -> Tensor:
            return layer_norm(values, (dim,), *parameters, config.layer_norm_eps)

        attention = Attention(x.dtype, len(x), runs, config.num_attention_heads, dim)
        adapters = Rows(batch, segments)
        blocks = _blocks(len(x))
        x = norm(x, self._norm)
        for i, layer in enumerate(self._layers):
            for rows in blocks:
                part, qkv = x[rows], attention.qkv[rows]
                layer.query_key_value.into(part, qkv)
                adapters.add(i, "query_key_value", rows, part, qkv)
            context = attention.attend()
            for rows in blocks:
                y = layer.attention_output.added_to(x[rows], context[rows])
                adapters.add(i, "attention_output", rows, context[rows], y)
                y = norm(y, layer.attention_norm)
                if adapters.any:
                    inner = layer.intermediate.apply(y)
                    adapters.add(i, "intermediate", rows, y, inner)
                    inner = gelu(inner)
                else:
                    inner = layer.intermediate.gelu(y)
                result = layer.output.added_to(y, inner)
                adapters.add(i, "output", rows, inner, result)
                x[rows] = norm(result, layer.output_norm)
        return x[:tokens]


def _runs(batch: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """(count, length) of each run of texts of equal length."""
    return [(len(list(run)), length) for length, run in groupby(map(len, batch))]


def _blocks(tokens: int) -> list[slice]:
    """What goes through a layer at a time."""
    whole = tokens - tokens % _BLOCK
    starts = [*range(0, whole, _BLOCK), *range(whole, tokens, _SMALL_BLOCK)]
    return [slice(start, end) for start, end in pairwise([*starts, tokens])]
