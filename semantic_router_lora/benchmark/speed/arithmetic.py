"""How much of what the machine can multiply an encoder makes use of."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from semantic_router_lora.engines.bert import BertConfig
from semantic_router_lora.engines.processor import onednn_is_faster

_ROWS = 1024
_ROUNDS = 30
_SECONDS = 2.0  # enough, where a type has no instructions of its own


def gemm_rate(config: BertConfig, threads: int, dtype: str = "float32") -> float:
    """Floating-point operations a second of matrix products of the model's own shape.

    The best of many products of 1,024 tokens with the layer that widens them, by PyTorch's own
    way and, where it is faster, by oneDNN.

    Args:
        config: the model's sizes.
        threads: to multiply with.
        dtype: of the matrices, as PyTorch calls it.
    """
    import torch

    from semantic_router_lora.engines.bert_weights import Linear
    from semantic_router_lora.engines.linear import OneDnn

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        kind = getattr(torch, dtype)
        left = torch.randn(_ROWS, config.hidden_size).to(kind)
        right = torch.randn(config.hidden_size, config.intermediate_size).to(kind)
        out = torch.empty(_ROWS, config.intermediate_size, dtype=kind)
        ways: list[Callable[[], object]] = [lambda: torch.mm(left, right, out=out)]
        if onednn_is_faster(dtype):
            layer = OneDnn(Linear(right, torch.zeros(config.intermediate_size, dtype=kind)))
            ways.append(lambda: layer.apply(left))
        best = min(map(_best_time, ways))
    finally:
        torch.set_num_threads(before)
    return 2.0 * _ROWS * config.hidden_size * config.intermediate_size / best


def _best_time(product: Callable[[], object]) -> float:
    best, began = float("inf"), time.perf_counter()
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        product()
        end = time.perf_counter()
        best = min(best, end - start)
        if end - began > _SECONDS:
            break
    return best


def forward_operations(config: BertConfig, lengths: Sequence[int]) -> float:
    """Floating-point operations of the matrix products that texts of these lengths need.

    Linear layers and attention, without padding; two operations for each multiplication.
    """
    dim, inner = config.hidden_size, config.intermediate_size
    linear = 2.0 * sum(lengths) * (4 * dim * dim + 2 * dim * inner)
    attention = 4.0 * dim * sum(length * length for length in lengths)
    return config.num_hidden_layers * (linear + attention)
