"""Products of few rows with a weight matrix, in the same bits on any number of threads.

Left to itself, the library for matrix products shares the work of a few rows among threads in ways
that round differently. Here each thread gets columns of the weight: a thread sums up what one
thread alone would.
"""

from __future__ import annotations

import torch
from torch import Tensor

# More rows than this are multiplied at once: such batches run on one thread, or are long texts.
_FEW_ROWS = 64


def multiply(x: Tensor, weight: Tensor, out: Tensor) -> Tensor:
    """Write x @ weight into ``out``, and return it.

    Args:
        x: (rows, in).
        weight: (in, out).
        out: (rows, out), contiguous.
    """
    parts = _parts(x, weight)
    if parts == 1:
        return torch.mm(x, weight, out=out)
    out.view(len(x), parts, -1).copy_(_by_columns(x, weight, parts))
    return out


def add_product(result: Tensor, x: Tensor, weight: Tensor) -> None:
    """Add x @ weight to ``result``, (rows, out), contiguous."""
    if len(x) > _FEW_ROWS:
        result.addmm_(x, weight)
    else:  # in two steps also on one thread, since one step rounds differently
        result.add_(multiply(x, weight, torch.empty_like(result)))


def _parts(x: Tensor, weight: Tensor) -> int:
    threads = torch.get_num_threads()
    shared = 0 < len(x) <= _FEW_ROWS and weight.shape[1] % threads == 0
    return threads if shared else 1


def _by_columns(x: Tensor, weight: Tensor, parts: int) -> Tensor:
    """(rows, parts, out / parts)."""
    columns = weight.view(len(weight), parts, -1).transpose(0, 1)
    return torch.bmm(x.expand(parts, -1, -1), columns).transpose(0, 1)
