"""Linear layers as MKL and as oneDNN multiply them."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import gelu

from semantic_router_lora.engines import processor
from semantic_router_lora.engines.bert_weights import Linear
from semantic_router_lora.engines.linear import Multiplied, OneDnn

pytestmark = pytest.mark.usefixtures("thread_count_put_back")
has_onednn = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, processor._OPERATOR)
KINDS = [
    Multiplied,
    pytest.param(OneDnn, marks=pytest.mark.skipif(not has_onednn, reason="PyTorch has no oneDNN")),
]


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(384, 1152), (1536, 384), (32, 96)], ids=str)
def test_what_a_layer_computes(shape, kind):
    linear = Linear(drawn(*shape) / 20, drawn(shape[1], seed=1))
    layer = kind(linear)
    for rows in (1, 3, 64, 65, 128):
        x, residual = drawn(rows, shape[0], seed=2), drawn(rows, shape[1], seed=3)
        expected = (x.double() @ linear.weight.double() + linear.bias).float()
        close = {"atol": 2e-5, "rtol": 1e-5}
        torch.testing.assert_close(layer.apply(x), expected, **close)
        torch.testing.assert_close(layer.gelu(x), gelu(expected), **close)
        torch.testing.assert_close(layer.added_to(residual, x), residual + expected, **close)
        buffer = torch.full((rows + 2, shape[1]), 7.0)
        layer.into(x, buffer[1:-1])
        assert torch.equal(buffer[1:-1], layer.apply(x))
        assert (buffer[[0, -1]] == 7).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_buffer_may_be_wider_than_the_layer(kind):
    if kind is OneDnn and not processor.bfloat16_is_fast():
        pytest.skip("oneDNN may not have bfloat16 here")
    linear = Linear(drawn(64, 32).bfloat16(), drawn(32, seed=1).bfloat16())
    layer, x, out = kind(linear), drawn(5, 64).bfloat16(), drawn(5, 32)
    layer.into(x, out)
    assert torch.equal(out, layer.apply(x).float())


@pytest.mark.parametrize("threads", [2, 3, 8])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(384, 1152), (384, 384), (384, 1536), (1536, 384)], ids=str)
def test_few_rows_have_the_same_bits_on_all_threads(shape, kind, threads):
    layer = kind(Linear(drawn(*shape) / 20, drawn(shape[1], seed=1)))
    for rows in (1, 2, 7, 16, 17, 40, 64):
        x, residual = drawn(rows, shape[0], seed=2), drawn(rows, shape[1], seed=3)
        found = []
        for number in (1, threads):
            torch.set_num_threads(number)
            found.append((layer.apply(x), layer.gelu(x), layer.added_to(residual, x)))
        assert all(torch.equal(alone, shared) for alone, shared in zip(*found, strict=True))
