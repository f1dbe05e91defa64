"""Biases moved to where they cost nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from semantic_router_lora.engines.bert_weights import BertWeights, Linear, Norm


def without_residual_biases(weights: BertWeights) -> BertWeights:
    """The same function, with biases of 0 where the input of a block is added to its output.

    A graph can then add the input in the block's last matrix product, in the place of the bias b.
    The normalisation that makes the input x makes x + b instead, and the block's first layer takes
    back what this adds to its output: W(x + b) + (c − Wb) = Wx + c.

    Args:
        weights: in float32.
    """
    if not weights.layers:
        return weights
    layers = []
    # of each layer, the bias that the normalisation before it takes: the last has none after it
    added = [layer.attention_output.bias for layer in weights.layers]
    for layer, after in zip(weights.layers, [*added[1:], None], strict=True):
        layers.append(
            layer._replace(
                query_key_value=_lowered(layer.query_key_value, layer.attention_output.bias),
                attention_output=_unbiased(layer.attention_output),
                attention_norm=_raised(layer.attention_norm, layer.output.bias),
                intermediate=_lowered(layer.intermediate, layer.output.bias),
                output=_unbiased(layer.output),
                output_norm=layer.output_norm
                if after is None
                else _raised(layer.output_norm, after),
            )
        )
    return replace(weights, norm=_raised(weights.norm, added[0]), layers=tuple(layers))


def _raised(norm: Norm, bias: Tensor) -> Norm:
    return norm._replace(bias=norm.bias + bias)


def _lowered(linear: Linear, bias: Tensor) -> Linear:
    """In float64, so that nothing is lost but in the last rounding."""
    made = linear.bias.double() - bias.double() @ linear.weight.double()
    return linear._replace(bias=made.float())


def _unbiased(linear: Linear) -> Linear:
    return linear._replace(bias=linear.bias.new_zeros(linear.bias.shape))
