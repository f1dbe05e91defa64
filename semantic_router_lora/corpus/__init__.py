"""Embedding files of any size into sharded vectors that can be resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semantic_router_lora.corpus.encoding import CorpusJob, encode_corpus
    from semantic_router_lora.corpus.ray_pipeline import encode_dataset
    from semantic_router_lora.corpus.vectors import read_vectors

__all__ = ["CorpusJob", "encode_corpus", "encode_dataset", "read_vectors"]

_MODULES = {
    "CorpusJob": "encoding",
    "encode_corpus": "encoding",
    "encode_dataset": "ray_pipeline",
    "read_vectors": "vectors",
}


def __getattr__(name: str) -> Any:
    # worker processes import this package, and need none of these
    if name in _MODULES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
