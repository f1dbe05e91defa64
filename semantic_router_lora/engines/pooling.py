"""From token vectors to one unit vector a text."""

from __future__ import annotations

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
