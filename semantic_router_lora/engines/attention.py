"""Attention among the tokens of each text, for texts that lie behind one another."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

# PyTorch's kernel takes so many keys at a time, and what is left over one by one: 15 keys take
# twice as long as 16.
_LANES = 16


class Attention:
    """The attention of one batch, in buffers that each layer writes anew.

    What stays in the cache need not be fetched from memory. The keys of a text are read on to a
    multiple of 16, into those of the next text: a mask gives these a weight of exactly 0, and that
    is faster than to leave them out. It is computed in float32 whatever the model's type is: for
    short texts, PyTorch's kernel takes half the time that it takes in bfloat16.

    Args:
        dtype: of the result.
        tokens: rows of the batch; those behind its last text get a context of 0.
        runs: (count, length) of each run of texts of equal length.
        heads: that share the hidden size.
        dim: the hidden size.

    Attributes:
        qkv: float32 (tokens, 3 · dim), to be written to: query, key and value of every token.
        context: (tokens, dim), the result.
    """

    def __init__(
        self,
        dtype: torch.dtype,
        tokens: int,
        runs: Sequence[tuple[int, int]],
        heads: int,
        dim: int,
    ) -> None:
        size = dim // heads
        rows = torch.empty(tokens + _LANES, 3 * dim, dtype=torch.float32)
        rows[tokens:] = 0  # the last text has no next one
        self.qkv = rows[:tokens]
        self.context = torch.empty(tokens, dim, dtype=dtype)
        # query, key, value, mask and result of each run, (texts, heads, tokens or keys, size)
        self._runs: list[tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor]] = []
        start = 0
        for count, length in runs:
            if length == 0:
                continue
            keys = _keys(length)
            strides = (length * 3 * dim, size, 3 * dim, 1)
            query, key, value = (
                rows.as_strided((count, heads, seen, size), strides, (3 * start + part) * dim)
                for part, seen in enumerate((length, keys, keys))
            )
            mask = None
            if keys > length:
                mask = _mask(length, keys).expand(count, heads, length, keys)
            end = start + count * length
            result = self.context[start:end].view(count, length, heads, size).transpose(1, 2)
            self._runs.append((query, key, value, mask, result))
            start = end
        self.context[start:] = 0

    def attend(self) -> Tensor:
        """Compute the context of what is in ``qkv``, and return it."""
        for query, key, value, mask, result in self._runs:
            result.copy_(scaled_dot_product_attention(query, key, value, attn_mask=mask))
        return self.context


def _keys(length: int) -> int:
    """How many keys are read for a text of this length."""
    over = length % _LANES
    return length if over < 2 else length - over + _LANES  # one alone costs less than a mask


@functools.lru_cache(maxsize=1024)
def _mask(length: int, keys: int) -> Tensor:
    """What is added to scores, (keys,): minus infinity beyond the length."""
    mask = torch.zeros(keys)
    mask[length:] = float("-inf")
    return mask
