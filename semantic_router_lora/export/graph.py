"""BERT as an ONNX graph: token ids and lengths in, sentence vectors out.

As in `engines.packed`, the texts of a batch lie behind one another without padding, for all but
attention, which sees them as a grid of texts and columns. A graph for one text needs not move
anything between the two nor mask any column, and is faster. The operators of the domain
com.microsoft are those that ONNX Runtime has kernels of its own for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from semantic_router_lora.export.biases import without_residual_biases
from semantic_router_lora.export.nodes import MICROSOFT, Graph
from semantic_router_lora.export.token_layout import Batch, Single, TokenLayout

if TYPE_CHECKING:
    from semantic_router_lora.engines.bert_weights import BertWeights, Layer, Linear, Norm

_LEAST_NORM = 1e-12  # torch.nn.functional.normalize's


def bert_graph(weights: BertWeights, *, pooling: str, single: bool = False) -> Any:
    """An ``onnx.ModelProto`` of merged weights, pooling and L2 normalisation included.

    Its inputs are ``ids``, int64 (tokens,), the token ids of all texts one after the other, and
    ``lengths``, int64 (texts,), how many of them each text has, at least 1. Its output is
    ``vectors``, float32 (texts, hidden_size).

    Args:
        weights: in float32.
        pooling: ``cls``, ``max`` or ``mean``.
        single: whether the graph is for one text at a time.

    Raises:
        MissingExtraError: without onnx.
    """
    weights = without_residual_biases(weights)
    graph = Graph()
    layout: TokenLayout = Single(graph) if single else Batch(graph)
    words = graph.node("Gather", [graph.constant("words", weights.words), "ids"])
    position = layout.positions(graph.constant("positions", weights.positions))
    summed = graph.node("Add", [words, position])
    x = _norm(graph, "norm", weights.norm, summed, weights.config.layer_norm_eps)
    for number, layer in enumerate(weights.layers):
        x = _layer(graph, layout, f"layer.{number}", layer, x, weights)
    pooled = _pool(graph, layout, x, pooling)
    length = graph.node("ReduceL2", [pooled], axes=[1], keepdims=1)
    least = graph.constant("least_norm", np.array(_LEAST_NORM, np.float32))
    graph.node("Div", [pooled, graph.node("Max", [length, least])], "vectors")
    return graph.model(weights.config.hidden_size)


def _layer(
    graph: Graph, layout: TokenLayout, name: str, layer: Layer, x: str, weights: BertWeights
) -> str:
    eps = weights.config.layer_norm_eps
    fused = graph.constant(f"{name}.query_key_value", layer.query_key_value.weight)
    bias = graph.constant(f"{name}.query_key_value.bias", layer.query_key_value.bias)
    context = layout.attention(x, fused, bias, weights.config)
    # Not SkipLayerNormalization, whose kernel for the CPU takes longer.
    summed = _product(graph, f"{name}.attention_output", layer.attention_output, context, x)
    x = _norm(graph, f"{name}.attention_norm", layer.attention_norm, summed, eps)
    inner = graph.node(
        "MatMul", [x, graph.constant(f"{name}.intermediate", layer.intermediate.weight)]
    )
    bias = graph.constant(f"{name}.intermediate.bias", layer.intermediate.bias)
    activated = graph.node("BiasGelu", [inner, bias], domain=MICROSOFT)  # the exact one, by erf
    summed = _product(graph, f"{name}.output", layer.output, activated, x)
    return _norm(graph, f"{name}.output_norm", layer.output_norm, summed, eps)


def _product(graph: Graph, name: str, layer: Linear, x: str, added: str) -> str:
    """With something added in place of the layer's bias, which is 0."""
    return graph.node("Gemm", [x, graph.constant(name, layer.weight), added])


def _norm(graph: Graph, name: str, norm: Norm, x: str, eps: float) -> str:
    scale = graph.constant(name, norm.weight)
    bias = graph.constant(f"{name}.bias", norm.bias)
    return graph.node("LayerNormalization", [x, scale, bias], epsilon=eps)


def _pool(graph: Graph, layout: TokenLayout, x: str, mode: str) -> str:
    if mode == "cls":
        return layout.first(x)
    hidden = layout.spread(x)
    if mode == "max":
        return graph.node("ReduceMax", [layout.lowest(hidden)], axes=[1], keepdims=0)
    # The sum: it has the direction of the mean.
    second = graph.constant("second_axis", np.array([1]))
    ones = graph.node("Unsqueeze", [layout.ones(), second])
    return graph.node("Squeeze", [graph.node("MatMul", [ones, hidden]), second])
