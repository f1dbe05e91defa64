"""BERT's weights, in memory as the packed engine multiplies them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import safe_open
from torch import Tensor

from semantic_router_lora.base_models import WEIGHTS_FILE
from semantic_router_lora.engines.bert import BertConfig


class Linear(NamedTuple):
    """A linear layer.

    The weight is kept as (in, out), contiguous: with few tokens, multiplying by it takes half the
    time that it takes as (out, in), because it need not be rearranged each time.
    """

    weight: Tensor
    bias: Tensor


class Norm(NamedTuple):
    """A layer normalisation."""

    weight: Tensor
    bias: Tensor


class Layer(NamedTuple):
    """A layer of the encoder; query, key and value are one multiplication."""

    query_key_value: Linear
    attention_output: Linear
    attention_norm: Norm
    intermediate: Linear
    output: Linear
    output_norm: Norm


@dataclass(frozen=True)
class BertWeights:
    """All that sentence vectors depend on.

    Attributes:
        config: the encoder's sizes.
        words: (vocab_size, hidden_size).
        positions: (max_position_embeddings, hidden_size), the embedding of token type 0 added:
            every token of a single text is of that type.
        norm: of the embeddings.
        layers: from the first to the last.
    """

    config: BertConfig
    words: Tensor
    positions: Tensor
    norm: Norm
    layers: tuple[Layer, ...]

    def linear_weights(self) -> dict[str, Tensor]:
        """A view as (out, in) of each linear layer's weight, by transformers' name for it."""
        views = {}
        for i, layer in enumerate(self.layers):
            name = f"encoder.layer.{i}"
            fused = layer.query_key_value.weight.t().chunk(3)
            for part, view in zip(("query", "key", "value"), fused, strict=True):
                views[f"{name}.attention.self.{part}"] = view
            views[f"{name}.attention.output.dense"] = layer.attention_output.weight.t()
            views[f"{name}.intermediate.dense"] = layer.intermediate.weight.t()
            views[f"{name}.output.dense"] = layer.output.weight.t()
        return views

    def to(self, dtype: torch.dtype) -> BertWeights:
        """The same weights in another type."""

        def linear(layer: Linear) -> Linear:
            return Linear(*(tensor.to(dtype) for tensor in layer))

        def norm(layer: Norm) -> Norm:
            return Norm(*(tensor.to(dtype) for tensor in layer))

        return BertWeights(
            config=self.config,
            words=self.words.to(dtype),
            positions=self.positions.to(dtype),
            norm=norm(self.norm),
            layers=tuple(
                Layer(
                    linear(layer.query_key_value),
                    linear(layer.attention_output),
                    norm(layer.attention_norm),
                    linear(layer.intermediate),
                    linear(layer.output),
                    norm(layer.output_norm),
                )
                for layer in self.layers
            ),
        )


def read_bert_weights(folder: Path, config: BertConfig) -> BertWeights:
    """Copy a base's weights from its file, in float32; `read_bert_config` knows if they fit."""
    embeddings = _read(folder, "embeddings", config)
    types = embeddings["token_type_embeddings.weight"]
    return BertWeights(
        config=config,
        words=embeddings["word_embeddings.weight"].clone(),
        positions=embeddings["position_embeddings.weight"] + types[0],
        norm=_norm(embeddings, "LayerNorm"),
        layers=tuple(
            _layer(_read(folder, f"encoder.layer.{i}", config))
            for i in range(config.num_hidden_layers)
        ),
    )


def _read(folder: Path, part: str, config: BertConfig) -> dict[str, Tensor]:
    """The tensors of a part, by the rest of their names.

    The file is mapped for each part anew, so that never more than a part of it is in memory.
    """
    with safe_open(folder / WEIGHTS_FILE, "pt") as file:
        return {
            name.removeprefix(f"{part}."): file.get_tensor(name).to(torch.float32)
            for name in config.tensors()
            if name.startswith(f"{part}.")
        }


def _layer(tensors: dict[str, Tensor]) -> Layer:
    parts = [f"attention.self.{part}" for part in ("query", "key", "value")]
    return Layer(
        _linear(tensors, *parts),
        _linear(tensors, "attention.output.dense"),
        _norm(tensors, "attention.output.LayerNorm"),
        _linear(tensors, "intermediate.dense"),
        _linear(tensors, "output.dense"),
        _norm(tensors, "output.LayerNorm"),
    )


def _linear(tensors: dict[str, Tensor], *names: str) -> Linear:
    """One layer from several that read the same input."""
    return Linear(
        torch.cat([tensors[f"{name}.weight"] for name in names]).t().contiguous(),
        torch.cat([tensors[f"{name}.bias"] for name in names]),
    )


def _norm(tensors: dict[str, Tensor], name: str) -> Norm:
    return Norm(tensors[f"{name}.weight"].clone(), tensors[f"{name}.bias"].clone())
