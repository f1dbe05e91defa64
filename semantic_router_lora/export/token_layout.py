"""Where the tokens of several texts lie in a graph: behind one another, or in a grid."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from semantic_router_lora.engines.bert import BertConfig
from semantic_router_lora.export.nodes import MICROSOFT, Graph


class TokenLayout(Protocol):
    """From the row of all tokens, (tokens, dim), to a grid, (texts, columns, dim), and back."""

    def positions(self, embeddings: str) -> str:
        """(tokens, dim): of each token, the embedding of its place in its text."""

    def spread(self, x: str) -> str:
        """From the row to the grid, with any numbers where there is no token."""

    def attention(self, x: str, weight: str, bias: str, config: BertConfig) -> str:
        """From row to row: of every token to those of its text.

        Args:
            x: (tokens, dim).
            weight: (dim, 3 · dim), of query, key and value beside one another.
            bias: (3 · dim,), the same.
            config: of the model.
        """

    def ones(self) -> str:
        """float32 (texts, columns): 1 where there is a token, else 0."""

    def lowest(self, grid: str) -> str:
        """The grid, with the lowest number where there is no token."""

    def first(self, x: str) -> str:
        """(texts, dim): of the row, the first token of each text."""


class Batch:
    """Of any number of texts.

    Args:
        graph: in which ``lengths`` (texts,) says how many tokens each text has.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        graph.cast_to_int32("lengths", "lengths_32")  # the type that attention takes lengths in
        zero = graph.constant("zero", np.array(0))
        second = graph.constant("second_axis", np.array([1]))
        longest = graph.node("ReduceMax", ["lengths"], keepdims=0)
        every = graph.node("Range", [zero, longest, graph.constant("one", np.array(1))])
        # true where there is a token
        graph.node("Less", [every, graph.node("Unsqueeze", ["lengths", second])], "mask")
        starts = graph.node("CumSum", ["lengths", zero], "starts", exclusive=1)
        numbers = graph.node("Add", [every, graph.node("Unsqueeze", [starts, second])])
        # (texts, columns): the number of that token, 0 where there is none
        graph.node("Where", ["mask", numbers, zero], "grid")
        flat = graph.node("Reshape", ["mask", graph.constant("flat", np.array([-1]))])
        first = graph.constant("first_axis", np.array([0]))
        # (tokens,): where in the grid each lies, and in which column
        graph.node("Squeeze", [graph.node("NonZero", [flat]), first], "cells")
        graph.node("Mod", ["cells", longest], "columns")

    def positions(self, embeddings: str) -> str:
        """See `TokenLayout`."""
        return self._graph.node("Gather", [embeddings, "columns"])

    def spread(self, x: str) -> str:
        """See `TokenLayout`."""
        return self._graph.node("Gather", [x, "grid"])

    def attention(self, x: str, weight: str, bias: str, config: BertConfig) -> str:
        """See `TokenLayout`."""
        product = self.spread(self._graph.node("MatMul", [x, weight]))
        context = self._graph.node(
            "MultiHeadAttention",
            [*self._graph.split(product, 3, axis=2), bias, "lengths_32"],
            domain=MICROSOFT,
            num_heads=config.num_attention_heads,
        )
        rows = self._graph.constant("rows", np.array([-1, config.hidden_size]))
        return self._graph.node("Gather", [self._graph.node("Reshape", [context, rows]), "cells"])

    def ones(self) -> str:
        """See `TokenLayout`."""
        return self._graph.cast_to_float("mask")

    def lowest(self, grid: str) -> str:
        """See `TokenLayout`."""
        last = self._graph.constant("last_axis", np.array([-1]))
        mask = self._graph.node("Unsqueeze", ["mask", last])
        lowest = self._graph.constant("lowest", np.array(np.finfo(np.float32).min))
        return self._graph.node("Where", [mask, grid, lowest])

    def first(self, x: str) -> str:
        """See `TokenLayout`."""
        return self._graph.node("Gather", [x, "starts"])


class Single:
    """Of one text, whose row is its grid: nothing is moved.

    Args:
        graph: in which ``lengths`` (1,) says how many tokens the text has.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._start = graph.constant("start", np.array([0]))
        self._one = graph.constant("one_text", np.array([1]))

    def positions(self, embeddings: str) -> str:
        """See `TokenLayout`."""
        return self._graph.node("Slice", [embeddings, self._start, "lengths"])

    def spread(self, x: str) -> str:
        """See `TokenLayout`."""
        return self._graph.node("Unsqueeze", [x, self._start])

    def attention(self, x: str, weight: str, bias: str, config: BertConfig) -> str:
        """See `TokenLayout`."""
        # The operator with the product in it: faster, but no padding can be left out of that.
        context = self._graph.node(
            "Attention",
            [self.spread(x), weight, bias],
            domain=MICROSOFT,
            num_heads=config.num_attention_heads,
        )
        return self._graph.node("Squeeze", [context, self._start])

    def ones(self) -> str:
        """See `TokenLayout`."""
        shape = self._graph.node("Concat", [self._one, "lengths"], axis=0)
        return self._graph.filled(shape, np.ones(1, np.float32))

    def lowest(self, grid: str) -> str:
        """See `TokenLayout`."""
        return grid

    def first(self, x: str) -> str:
        """See `TokenLayout`."""
        return self._graph.node("Gather", [x, self._start])
