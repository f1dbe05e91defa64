"""Products of few rows with a weight matrix, in the same bits on any number of threads.

Left to itself, the library for matrix products shares the work of a few rows among threads in ways
that round differently. Here each thread gets columns of the weight, and sums up what one thread
alone would. Columns at an edge are summed up otherwise, so that a narrow weight, as adapters have,
is not shared: each thread computes the whole.
"""

from __future__ import annotations

import torch
from torch import Tensor

# More rows than this are multiplied at once: such batches run on one thread, or are long texts.
_FEW_ROWS = 64
# Threads get so many columns at least, and a multiple of half of it: what has no edge.
_COLUMNS = 32


def multiply(x: Tensor, weight: Tensor, out: Tensor) -> Tensor:
    """Write x @ weight into ``out``, and return it.

    Args:
        x: (rows, in).
        weight: (in, out).
        out: (rows, out), contiguous.
    """
    threads = torch.get_num_threads()
    if threads == 1 or not 0 < len(x) <= _FEW_ROWS:
        return torch.mm(x, weight, out=out)
    columns, left = divmod(weight.shape[1], threads)
    if left or columns < _COLUMNS or columns % (_COLUMNS // 2):
        whole = torch.bmm(x.expand(threads, -1, -1), weight.expand(threads, -1, -1))
        return out.copy_(whole[0])
    shares = weight.view(len(weight), threads, columns).transpose(0, 1)
    products = torch.bmm(x.expand(threads, -1, -1), shares).transpose(0, 1)
    out.view(len(x), threads, columns).copy_(products)
    return out


def add_product(result: Tensor, x: Tensor, weight: Tensor) -> None:
    """Add x @ weight to ``result``, (rows, out), contiguous."""
    if len(x) > _FEW_ROWS:
        result.addmm_(x, weight)
    else:  # in two steps also on one thread, since one step rounds differently
        result.add_(multiply(x, weight, torch.empty_like(result)))
