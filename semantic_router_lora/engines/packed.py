"""The engine for BERT: no padding, no transformers.

The texts of a batch lie behind one another in one (tokens, hidden) matrix. All of BERT but its
attention treats tokens one by one, so that padding, which is most of the work on texts of mixed
lengths, has no place in it. Attention runs over runs of texts of equal length.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import gelu, layer_norm

from semantic_router_lora.engines.attention import Attention
from semantic_router_lora.engines.bert import BertConfig
from semantic_router_lora.engines.bert_weights import BertWeights, Norm
from semantic_router_lora.engines.low_rank import LayerUpdate, Rows
from semantic_router_lora.engines.pooling import pool_packed
from semantic_router_lora.engines.products import add_product, multiply

# Tokens that go through the feed-forward part at a time. Its inner matrix, four times as wide as
# the others, then stays in a core's cache between its two multiplications (5 % of the whole).
_BLOCK = 128


class PackedEngine:
    """Runs BERT on the CPU on batches without padding.

    Args:
        weights: the encoder's, with an adapter merged or without; not copied.
        pooling: ``cls``, ``max`` or ``mean``.
    """

    def __init__(self, weights: BertWeights, *, pooling: str) -> None:
        self.dim = weights.config.hidden_size
        self._weights = weights
        self._pooling = pooling

    @property
    def config(self) -> BertConfig:
        """The sizes of the encoder."""
        return self._weights.config

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
        weights, config, dim = self._weights, self._weights.config, self.dim
        tokens = sum(count * length for count, length in runs)
        ids = np.fromiter(chain.from_iterable(batch), np.int64, tokens)
        x = weights.words[torch.from_numpy(ids)]
        start = 0
        for count, length in runs:
            rows = slice(start, start := start + count * length)
            x[rows].view(count, length, dim).add_(weights.positions[:length])
        attention = Attention(x, runs, config.num_attention_heads, dim)
        qkv, y = attention.qkv, torch.empty_like(x)

        def norm(values: Tensor, parameters: Norm) -> Tensor:
            return layer_norm(values, (dim,), *parameters, config.layer_norm_eps)

        adapters = Rows(batch, segments)
        block = _BLOCK if adapters.alike else max(1, tokens)
        x = norm(x, weights.norm)
        for i, layer in enumerate(weights.layers):
            multiply(x, layer.query_key_value.weight, qkv).add_(layer.query_key_value.bias)
            adapters.add(i, "query_key_value", x, qkv)
            context = attention.attend()
            torch.add(x, layer.attention_output.bias, out=y)
            add_product(y, context, layer.attention_output.weight)
            adapters.add(i, "attention_output", context, y)
            x = norm(y, layer.attention_norm)
            torch.add(x, layer.output.bias, out=y)
            for start in range(0, tokens, block):
                part, result = x[start : start + block], y[start : start + block]
                inner = part.new_empty(len(part), config.intermediate_size)
                multiply(part, layer.intermediate.weight, inner).add_(layer.intermediate.bias)
                adapters.add(i, "intermediate", part, inner)
                activated = gelu(inner)
                add_product(result, activated, layer.output.weight)
                adapters.add(i, "output", activated, result)
            x = norm(y, layer.output_norm)
        return x


def _runs(batch: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """(count, length) of each run of texts of equal length."""
    return [(len(list(run)), length) for length, run in groupby(map(len, batch))]
