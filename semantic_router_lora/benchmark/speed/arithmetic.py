"""How much of what the machine can multiply an encoder makes use of."""

from __future__ import annotations

import time
from collections.abc import Sequence

from semantic_router_lora.engines.bert import BertConfig

_ROWS = 1024
_ROUNDS = 30


def gemm_rate(config: BertConfig, threads: int) -> float:
    """Floating-point operations a second of float32 matrix products of the model's own shape.

    The best of many products of 1,024 tokens with the layer that widens them.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        left = torch.randn(_ROWS, config.hidden_size)
        right = torch.randn(config.hidden_size, config.intermediate_size)
        out = torch.empty(_ROWS, config.intermediate_size)
        best = float("inf")
        for _ in range(_ROUNDS):
            start = time.perf_counter()
            torch.mm(left, right, out=out)
            best = min(best, time.perf_counter() - start)
    finally:
        torch.set_num_threads(before)
    return 2.0 * _ROWS * config.hidden_size * config.intermediate_size / best


def forward_operations(config: BertConfig, lengths: Sequence[int]) -> float:
    """Floating-point operations of the matrix products that texts of these lengths need.

    Linear layers and attention, without padding; two operations for each multiplication.
    """
    dim, inner = config.hidden_size, config.intermediate_size
    linear = 2.0 * sum(lengths) * (4 * dim * dim + 2 * dim * inner)
    attention = 4.0 * dim * sum(length * length for length in lengths)
    return config.num_hidden_layers * (linear + attention)
