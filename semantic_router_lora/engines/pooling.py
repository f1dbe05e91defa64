"""From token vectors to one unit vector a text."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def pool(hidden: Tensor, mask: Tensor, mode: str) -> Tensor:
    """Pool token vectors and scale the result to unit length, in float32.

    Args:
        hidden: float (batch, tokens, dim), the encoder's last hidden state.
        mask: int (batch, tokens), 1 for tokens and 0 for padding on the right.
        mode: ``mean``, ``cls`` or ``max``.

    Returns:
        float32 (batch, dim), L2-normalised rows.
    """
    hidden = hidden.float()
    if mode == "cls":
        pooled = hidden[:, 0]
    elif mode == "max":
        pooled = hidden.masked_fill(mask.unsqueeze(-1) == 0, float("-inf")).amax(dim=1)
    else:
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)
    return torch.nn.functional.normalize(pooled, p=2, dim=1)


def pool_packed(hidden: Tensor, runs: Sequence[tuple[int, int]], mode: str) -> Tensor:
    """`pool` for texts that lie behind one another without padding.

    Args:
        hidden: float (tokens, dim), the encoder's last hidden state.
        runs: (count, length) of each run of texts of equal length, in order.
        mode: ``mean``, ``cls`` or ``max``.

    Returns:
        float32 (texts, dim), L2-normalised rows; a text of no tokens gives zeros.
    """
    dim = hidden.shape[1]
    pooled = []
    start = 0
    for count, length in runs:
        rows = hidden[start : start + count * length].view(count, length, dim).float()
        start += count * length
        if length == 0:
            pooled.append(rows.new_zeros(count, dim))
        elif mode == "cls":
            pooled.append(rows[:, 0])
        elif mode == "max":
            pooled.append(rows.amax(dim=1))
        else:
            pooled.append(rows.mean(dim=1))
    return torch.nn.functional.normalize(torch.cat(pooled), p=2, dim=1)
