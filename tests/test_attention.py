"""Attention of the packed engine: of every token to those of its own text."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from semantic_router_lora.engines.attention import Attention

HEADS, DIM = 4, 32


def expected(qkv: torch.Tensor, runs: list[tuple[int, int]]) -> torch.Tensor:
    """Text by text."""
    parts = []
    for text in qkv.split([length for count, length in runs for _ in range(count) if length]):
        query, key, value = text.view(len(text), 3, HEADS, -1).permute(1, 2, 0, 3)
        parts.append(scaled_dot_product_attention(query, key, value).transpose(0, 1).flatten(1))
    return torch.cat(parts)


def attended(qkv: torch.Tensor, runs: list[tuple[int, int]]) -> torch.Tensor:
    attention = Attention(qkv.dtype, len(qkv) + 3, runs, HEADS, DIM)
    attention.qkv[: len(qkv)] = qkv
    attention.qkv[len(qkv) :] = 5.0
    context = attention.attend().clone()
    assert not context[len(qkv) :].any()
    return context[: len(qkv)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_length_is_attended_to_as_alone(dtype):
    generator = torch.Generator().manual_seed(0)
    runs = [(1 + length % 3, length) for length in (*range(70, 0, -1), 0)]
    tokens = sum(count * length for count, length in runs)
    qkv = torch.randn(tokens, 3 * DIM, generator=generator).to(dtype)
    difference = (attended(qkv, runs) - expected(qkv, runs)).abs().max()
    assert difference < (5e-6 if dtype == torch.float32 else 2e-2)


@pytest.mark.parametrize("length", [1, 2, 9, 15, 16, 17, 30])
def test_what_follows_a_text_changes_no_bit(length):
    text = torch.randn(length, 3 * DIM, generator=torch.Generator().manual_seed(length))
    alone = attended(text, [(1, length)])
    for follower in (torch.full((20, 3 * DIM), 1e30), torch.full((20, 3 * DIM), -1e30)):
        found = attended(torch.cat([text, follower]), [(1, length), (1, 20)])
        assert torch.equal(found[:length], alone)
