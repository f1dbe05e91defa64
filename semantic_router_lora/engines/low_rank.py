"""Adapters beside the weights instead of in them: many of them over one base."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_router_lora.engines.products import add_product, multiply

if TYPE_CHECKING:
    from semantic_router_lora.engines.packed import PackedEngine

Factors = Mapping[str, tuple[Tensor, Tensor]]


class Update(NamedTuple):
    """What is added to a linear layer: y ← y + (x · down) · up.

    Attributes:
        down: (in, rank), a view of (rank, in): so few columns are multiplied faster in that order.
        up: (rank, out), scaling included.
    """

    down: Tensor
    up: Tensor


class LayerUpdate(NamedTuple):
    """The updates of one layer of the encoder; None where there is nothing to add."""

    query_key_value: Update | None
    attention_output: Update | None
    intermediate: Update | None
    output: Update | None


def layer_updates(added: Factors, removed: Factors, layers: int) -> tuple[LayerUpdate, ...]:
    """Updates that add one adapter to weights into which another one is merged.

    Args:
        added: for each layer's name (rank, in) and (out, rank), as `low_rank_factors` gives them.
        removed: the same of the adapter that is in the weights; empty if there is none.
        layers: of the encoder.
    """

    def factors(name: str) -> tuple[Tensor, Tensor] | None:
        parts = [
            (factors[name], sign)
            for factors, sign in ((added, 1.0), (removed, -1.0))
            if name in factors
        ]
        if not parts:
            return None
        return (
            torch.cat([down for (down, _), _ in parts]),
            torch.cat([up * sign for (_, up), sign in parts], dim=1).t().contiguous(),
        )

    def update(*names: str) -> Update | None:
        """One update for layers that read the same input and write side by side."""
        found = [factors(name) for name in names]
        if not any(found):
            return None
        width = next(f[1].shape[1] for f in found if f) if len(names) > 1 else 0
        known = [f for f in found if f is not None]
        if len(names) == 1:
            return Update(known[0][0].t(), known[0][1])
        down = torch.cat([f[0] for f in known])
        up = torch.zeros(len(down), width * len(names))
        row = 0
        for column, f in enumerate(found):
            if f is not None:
                up[row : row + len(f[1]), column * width : (column + 1) * width] = f[1]
                row += len(f[1])
        return Update(down.t(), up)

    return tuple(
        LayerUpdate(
            update(*(f"encoder.layer.{i}.attention.self.{p}" for p in ("query", "key", "value"))),
            update(f"encoder.layer.{i}.attention.output.dense"),
            update(f"encoder.layer.{i}.intermediate.dense"),
            update(f"encoder.layer.{i}.output.dense"),
        )
        for i in range(layers)
    )


class AdaptedEngine:
    """A packed engine with an adapter beside its weights, which it shares.

    Args:
        engine: whose weights are used.
        updates: the adapter, less what is merged into these weights.
    """

    def __init__(self, engine: PackedEngine, updates: tuple[LayerUpdate, ...]) -> None:
        self.engine = engine
        self.updates = updates
        self.dim = engine.dim

    def embed(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Embed one batch of token ids; see `Engine`."""
        return self.engine.embed(batch, [(len(batch), self.updates)])

    def embed_alone(self, batch: Sequence[Sequence[int]], threads: int) -> NDArray[np.float32]:
        """See `Engine` and `PackedEngine.embed_alone`."""
        return self.embed(batch)


class Rows:
    """Which rows of a matrix of tokens are of which adapter.

    Args:
        batch: token ids.
        segments: how many texts in a row are of which adapter; None for the weights as they are.

    Attributes:
        any: whether any row has an adapter.
    """

    def __init__(
        self,
        batch: Sequence[Sequence[int]],
        segments: Iterable[tuple[int, tuple[LayerUpdate, ...] | None]],
    ) -> None:
        self._rows: list[tuple[slice, tuple[LayerUpdate, ...]]] = []
        text = token = 0
        for count, updates in segments:
            tokens = sum(map(len, batch[text : text + count]))
            if updates is not None and tokens:
                self._rows.append((slice(token, token + tokens), updates))
            text, token = text + count, token + tokens
        self.any = bool(self._rows)

    def add(self, layer: int, part: str, block: slice, x: Tensor, y: Tensor) -> None:
        """Add to a linear layer's outputs what its rows' adapters add, in place.

        Args:
            layer: number of the encoder's layer.
            part: a field of `LayerUpdate`.
            block: which of all tokens these are.
            x: (tokens of the block, in), the linear layer's input.
            y: (tokens of the block, out), its output.
        """
        for rows, updates in self._rows:
            start, stop = max(rows.start, block.start), min(rows.stop, block.stop)
            update: Update | None = getattr(updates[layer], part)
            if update is not None and start < stop:
                mine = slice(start - block.start, stop - block.start)
                x_rows = x[mine]
                inner = x.new_empty(len(x_rows), update.down.shape[1])
                add_product(y[mine], multiply(x_rows, update.down, inner), update.up)
