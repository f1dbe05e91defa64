"""BERT as an ONNX graph: token ids and lengths in, sentence vectors out.

As in `engines.packed`, the texts of a batch lie behind one another without padding, for all but
attention, which sees them as a grid of texts and columns. The operators of the domain
com.microsoft are those that ONNX Runtime has kernels of its own for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from semantic_router_lora.errors import require

if TYPE_CHECKING:
    from semantic_router_lora.engines.bert_weights import BertWeights, Layer, Linear, Norm

OPSET = 17
_MICROSOFT = "com.microsoft"
_IR_VERSION = 8  # of the first onnx release with that opset: older runtimes read it
_LEAST_NORM = 1e-12  # torch.nn.functional.normalize's


def bert_graph(weights: BertWeights, *, pooling: str) -> Any:
    """An ``onnx.ModelProto`` of merged weights, pooling and L2 normalisation included.

    Its inputs are ``ids``, int64 (tokens,), the token ids of all texts one after the other, and
    ``lengths``, int64 (texts,), how many of them each text has, at least 1. Its output is
    ``vectors``, float32 (texts, hidden_size).

    Args:
        weights: in float32.
        pooling: ``cls``, ``max`` or ``mean``.

    Raises:
        MissingExtraError: without onnx.
    """
    graph = _Graph()
    _index(graph)
    words = graph.node("Gather", [graph.constant("words", weights.words), "ids"])
    position = graph.node("Gather", [graph.constant("positions", weights.positions), "columns"])
    summed = graph.node("Add", [words, position])
    x = _norm(graph, "norm", weights.norm, summed, weights.config.layer_norm_eps)
    for number, layer in enumerate(weights.layers):
        x = _layer(graph, f"layer.{number}", layer, x, weights)
    pooled = _pool(graph, x, pooling)
    length = graph.node("ReduceL2", [pooled], axes=[1], keepdims=1)
    least = graph.constant("least_norm", np.array(_LEAST_NORM, np.float32))
    graph.node("Div", [pooled, graph.node("Max", [length, least])], "vectors")
    return graph.model(weights.config.hidden_size)


class _Graph:
    """Nodes and constants as they come."""

    def __init__(self) -> None:
        self._onnx: Any = require("onnx", "onnx")
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def constant(self, name: str, value: Any) -> str:
        """Add a tensor or array once, and return its name."""
        if name not in self._constants:
            array = np.ascontiguousarray(value.numpy() if hasattr(value, "numpy") else value)
            self._constants[name] = self._onnx.numpy_helper.from_array(
                array.reshape(np.shape(value)), name
            )
        return name

    def node(
        self, kind: str, inputs: list[str], output: str = "", *, domain: str = "", **settings: Any
    ) -> str:
        """Add a node, and return the name of its output."""
        output = output or f"{kind}.{len(self._nodes)}"
        self._nodes.append(
            self._onnx.helper.make_node(
                kind, inputs, [output], name=output, domain=domain, **settings
            )
        )
        return output

    def model(self, dim: int) -> Any:
        """The whole model."""
        helper, types = self._onnx.helper, self._onnx.TensorProto
        graph = helper.make_graph(
            self._nodes,
            "sentence encoder",
            [
                helper.make_tensor_value_info("ids", types.INT64, ["tokens"]),
                helper.make_tensor_value_info("lengths", types.INT64, ["texts"]),
            ],
            [helper.make_tensor_value_info("vectors", types.FLOAT, ["texts", dim])],
            list(self._constants.values()),
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_MICROSOFT, 1)]
        return helper.make_model(
            graph,
            opset_imports=opsets,
            ir_version=_IR_VERSION,
            producer_name="semantic-router-lora",
        )


def _index(graph: _Graph) -> None:
    """Where each token lies: in the grid of texts and columns, and in the row of all tokens.

    ``mask`` (texts, columns) is true where there is a token, ``grid`` the number of that token
    (0 elsewhere); ``cells`` (tokens,) is where in the grid it lies, ``columns`` in which column.
    """
    zero = graph.constant("zero", np.array(0))
    second = graph.constant("second_axis", np.array([1]))
    longest = graph.node("ReduceMax", ["lengths"], keepdims=0)
    every = graph.node("Range", [zero, longest, graph.constant("one", np.array(1))])
    graph.node("Less", [every, graph.node("Unsqueeze", ["lengths", second])], "mask")
    starts = graph.node("CumSum", ["lengths", zero], "starts", exclusive=1)
    numbers = graph.node("Add", [every, graph.node("Unsqueeze", [starts, second])])
    graph.node("Where", ["mask", numbers, zero], "grid")
    flat = graph.node("Reshape", ["mask", graph.constant("flat", np.array([-1]))])
    first = graph.constant("first_axis", np.array([0]))
    graph.node("Squeeze", [graph.node("NonZero", [flat]), first], "cells")
    graph.node("Mod", ["cells", longest], "columns")
    # the type that attention takes lengths in
    int32 = require("onnx", "onnx").TensorProto.INT32
    graph.node("Cast", ["lengths"], "lengths_32", to=int32)


def _layer(graph: _Graph, name: str, layer: Layer, x: str, weights: BertWeights) -> str:
    dim, eps = weights.config.hidden_size, weights.config.layer_norm_eps
    # Three multiplications: one of thrice the width would have to be split, which copies it.
    parts = []
    fused = layer.query_key_value.weight
    for part, weight in zip(("query", "key", "value"), fused.chunk(3, dim=1), strict=True):
        product = graph.node("MatMul", [x, graph.constant(f"{name}.{part}", weight)])
        parts.append(graph.node("Gather", [product, "grid"]))
    bias = graph.constant(f"{name}.query_key_value.bias", layer.query_key_value.bias)
    attention = graph.node(
        "MultiHeadAttention",
        [*parts, bias, "lengths_32"],
        domain=_MICROSOFT,
        num_heads=weights.config.num_attention_heads,
    )
    rows = graph.node("Reshape", [attention, graph.constant("rows", np.array([-1, dim]))])
    context = graph.node("Gather", [rows, "cells"])
    # Not SkipLayerNormalization, whose kernel for the CPU takes longer than these two.
    attended = _linear(graph, f"{name}.attention_output", layer.attention_output, context)
    summed = graph.node("Add", [attended, x])
    x = _norm(graph, f"{name}.attention_norm", layer.attention_norm, summed, eps)
    inner = graph.node(
        "MatMul", [x, graph.constant(f"{name}.intermediate", layer.intermediate.weight)]
    )
    bias = graph.constant(f"{name}.intermediate.bias", layer.intermediate.bias)
    activated = graph.node("BiasGelu", [inner, bias], domain=_MICROSOFT)  # the exact one, by erf
    summed = graph.node("Add", [_linear(graph, f"{name}.output", layer.output, activated), x])
    return _norm(graph, f"{name}.output_norm", layer.output_norm, summed, eps)


def _linear(graph: _Graph, name: str, layer: Linear, x: str) -> str:
    weight = graph.constant(name, layer.weight)
    return graph.node("Gemm", [x, weight, graph.constant(f"{name}.bias", layer.bias)])


def _norm(graph: _Graph, name: str, norm: Norm, x: str, eps: float) -> str:
    scale = graph.constant(name, norm.weight)
    bias = graph.constant(f"{name}.bias", norm.bias)
    return graph.node("LayerNormalization", [x, scale, bias], epsilon=eps)


def _pool(graph: _Graph, x: str, mode: str) -> str:
    if mode == "cls":
        return graph.node("Gather", [x, "starts"])
    second = graph.constant("second_axis", np.array([1]))
    hidden = graph.node("Gather", [x, "grid"])
    if mode == "max":
        mask = graph.node("Unsqueeze", ["mask", graph.constant("last_axis", np.array([-1]))])
        lowest = graph.constant("lowest", np.array(np.finfo(np.float32).min))
        tokens = graph.node("Where", [mask, hidden, lowest])
        return graph.node("ReduceMax", [tokens], axes=[1], keepdims=0)
    # The sum: it has the direction of the mean.
    ones = graph.node("Cast", ["mask"], to=require("onnx", "onnx").TensorProto.FLOAT)
    summed = graph.node("MatMul", [graph.node("Unsqueeze", [ones, second]), hidden])
    return graph.node("Squeeze", [summed, second])
