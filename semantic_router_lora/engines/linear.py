"""Linear layers, kept and multiplied in the way that the processor is fast at."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import gelu

from semantic_router_lora.engines.bert_weights import Linear
from semantic_router_lora.engines.products import add_product, multiply

_TYPICAL_ROWS = 128  # that oneDNN's layout of a weight is chosen for


class LinearLayer(Protocol):
    """x · W + b, alone or with what follows it. Safe to use from several threads.

    The same rows give the same bits on any number of threads.
    """

    def into(self, x: Tensor, out: Tensor) -> None:
        """Write x · W + b, (rows, out), to a contiguous part of a buffer of x's or another type."""

    def apply(self, x: Tensor) -> Tensor:
        """Compute x · W + b, (rows, out)."""

    def gelu(self, x: Tensor) -> Tensor:
        """GELU(x · W + b), with the error function, (rows, out)."""

    def added_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """Residual + x · W + b, (rows, out), anew."""


class Multiplied:
    """By PyTorch's own products, which on CPUs are MKL's."""

    def __init__(self, linear: Linear) -> None:
        self._weight, self._bias = linear

    def into(self, x: Tensor, out: Tensor) -> None:
        """See `LinearLayer`."""
        if out.dtype == x.dtype:
            multiply(x, self._weight, out).add_(self._bias)
        else:
            out.copy_(self.apply(x))

    def apply(self, x: Tensor) -> Tensor:
        """See `LinearLayer`."""
        out = x.new_empty(len(x), len(self._bias))
        return multiply(x, self._weight, out).add_(self._bias)

    def gelu(self, x: Tensor) -> Tensor:
        """See `LinearLayer`."""
        return gelu(self.apply(x))

    def added_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """See `LinearLayer`."""
        result = residual + self._bias
        add_product(result, x, self._weight)
        return result


class OneDnn:
    """By oneDNN, in whose own layout the weight is kept; what follows costs no pass of its own.

    These operators are those that torch.compile puts into its programs.
    """

    def __init__(self, linear: Linear) -> None:
        self._bias = linear.bias
        self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.t(), _TYPICAL_ROWS)

    def into(self, x: Tensor, out: Tensor) -> None:
        """See `LinearLayer`."""
        out.copy_(self.apply(x))

    def apply(self, x: Tensor) -> Tensor:
        """See `LinearLayer`."""
        return self._run(x, "none")

    def gelu(self, x: Tensor) -> Tensor:
        """See `LinearLayer`."""
        return self._run(x, "gelu")

    def added_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """See `LinearLayer`."""
        result: Tensor = torch.ops.mkldnn._linear_pointwise.binary(
            x, residual, self._weight, self._bias, "add"
        )
        return result

    def _run(self, x: Tensor, then: str) -> Tensor:
        result: Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self._weight, self._bias, then, [], "none"
        )
        return result
