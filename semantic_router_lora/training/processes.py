"""Several processes that train together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

_Found = TypeVar("_Found")


def is_distributed() -> bool:
    """Whether several processes train together."""
    distributed = torch.distributed
    return distributed.is_available() and distributed.is_initialized()


def is_first() -> bool:
    """Whether this process is the one that writes; alone, it is."""
    return not is_distributed() or torch.distributed.get_rank() == 0


def first_does(what: Callable[[], _Found]) -> _Found:
    """Let the first process do something, and give the result, or its error, to all."""
    if not is_distributed():
        return what()
    found: list[tuple[_Found | None, Exception | None]] = [(None, None)]
    if is_first():
        try:
            found[0] = (what(), None)
        except Exception as error:  # raised below, in every process
            found[0] = (None, error)
    torch.distributed.broadcast_object_list(found, src=0)
    result, failure = found[0]
    if failure is not None:
        raise failure
    return result  # type: ignore[return-value]


def gather(rows: Tensor) -> Tensor:
    """The rows of all processes, those of the first one first; each gives as many."""
    parts = [torch.empty_like(rows) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


class GatherWithGradient(torch.autograd.Function):
    """`gather` that every process's loss is differentiated through.

    sentence-transformers' all_gather_with_grad gives wrong gradients on CPUs (6.2 on torch 2.13,
    gloo): two processes then train another model than one.
    """

    @staticmethod
    def forward(context: Any, rows: Tensor) -> Tensor:
        """Gather."""
        context.rows = len(rows)
        return gather(rows)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        """What the losses of all processes make of this one's rows."""
        total = gradient.contiguous().clone()
        torch.distributed.all_reduce(total)
        start = torch.distributed.get_rank() * context.rows
        return total[start : start + context.rows]


def gather_with_gradient(rows: Tensor) -> Tensor:
    """See `GatherWithGradient`."""
    gathered: Tensor = GatherWithGradient.apply(rows)  # type: ignore[no-untyped-call]
    return gathered
