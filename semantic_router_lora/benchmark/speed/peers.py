"""The encoders that are compared, each built from what lies on this machine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from semantic_router_lora.base_models import DEFAULT_BASE, resolve_base
from semantic_router_lora.embedder import Embedder
from semantic_router_lora.encoder import LoRAHuggingFaceEncoder
from semantic_router_lora.engines.processor import bfloat16_is_fast

ADAPTER = "multi-domain-cache-lora-L6"

STOCK = "HuggingFaceEncoder (semantic-router)"
LOCAL = "LocalEncoder (semantic-router)"
PEFT = "sentence-transformers + PEFT"
FASTEMBED = "fastembed (ONNX)"
DEFAULT = "default, float32"
BFLOAT16 = "bfloat16"
ONNX = "onnx"
TRANSFORMERS = "transformers engine, float32"


@dataclass(frozen=True)
class Peer:
    """An encoder.

    Attributes:
        name: how tables call it.
        encode: from texts to vectors, in whatever form it gives them.
        encoder: an encoder for routers that does the same, or None.
        flops_share: whether it runs the model that the arithmetic is counted for.
    """

    name: str
    encode: Callable[[Sequence[str]], Any]
    encoder: Any = None


def build_peer(name: str, threads: int, exported: Mapping[str, Path]) -> Peer:
    """Build one encoder; imports only what it needs.

    Args:
        name: of the encoder.
        threads: that it may use.
        exported: folders that encoders read, by their names.

    Raises:
        MissingExtraError: if a package that it needs is missing.
    """
    if name == STOCK:
        return _stock(threads)
    if name in (LOCAL, PEFT):
        return _sentence_transformers(name, threads)
    if name == FASTEMBED:
        from semantic_router_lora.benchmark.speed import fastembed

        return Peer(name, *fastembed.load(exported[name], threads))
    options: dict[str, Any] = {"threads": threads}
    if name == ONNX:
        encoder = LoRAHuggingFaceEncoder(name=str(exported[name]), **options)
        return Peer(name, encoder.embedder.encode, encoder)
    if name == BFLOAT16:
        options["dtype"] = "bfloat16"
    if name == TRANSFORMERS:
        embedder = Embedder(adapter=ADAPTER, engine="transformers", **options)
        return Peer(name, embedder.encode)
    encoder = LoRAHuggingFaceEncoder(adapter=ADAPTER, **options)
    return Peer(name, encoder.embedder.encode, encoder)


def available(exported: Collection[str]) -> list[str]:
    """The names of the encoders that can be built here, the one that ratios refer to first.

    Args:
        exported: those whose folders were written.
    """
    names = [STOCK]
    if find_spec("sentence_transformers"):
        names += [LOCAL, PEFT]
    if FASTEMBED in exported:
        names.append(FASTEMBED)
    names += [TRANSFORMERS, DEFAULT]
    if bfloat16_is_fast():
        names.append(BFLOAT16)
    if ONNX in exported:
        names.append(ONNX)
    return names


def _stock(threads: int) -> Peer:
    import torch
    from semantic_router.encoders import HuggingFaceEncoder

    torch.set_num_threads(threads)
    encoder: Any = HuggingFaceEncoder(name=str(resolve_base(DEFAULT_BASE).folder), device="cpu")
    return Peer(STOCK, lambda texts: encoder(list(texts)), encoder)


def _sentence_transformers(name: str, threads: int) -> Peer:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    folder = str(resolve_base(DEFAULT_BASE).folder)
    if name == LOCAL:
        try:
            from semantic_router.encoders import LocalEncoder
        except ImportError:  # the 0.0 line has none: what it would call
            return Peer(name, SentenceTransformer(folder, device="cpu").encode)
        local: Any = LocalEncoder(name=folder, device="cpu")
        return Peer(name, lambda texts: local(list(texts)), local)
    from semantic_router_lora.adapters.resolve import resolve_adapter

    model = SentenceTransformer(folder, device="cpu")
    model.load_adapter(str(resolve_adapter(ADAPTER).folder))
    return Peer(name, lambda texts: model.encode(list(texts), normalize_embeddings=True))
