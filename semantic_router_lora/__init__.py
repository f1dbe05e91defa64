"""Sentence encoders adapted by small LoRA adapters, for semantic-router and semantic caches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semantic_router_lora.centroids import use_centroids
    from semantic_router_lora.embedder import Embedder
    from semantic_router_lora.encoder import LoRAHuggingFaceEncoder
    from semantic_router_lora.errors import SemanticRouterLoraError
    from semantic_router_lora.fitting.fit import fit_adapter
    from semantic_router_lora.registration import load_router, register, unregister

__version__ = "0.1.0"

__all__ = [
    "Embedder",
    "LoRAHuggingFaceEncoder",
    "SemanticRouterLoraError",
    "fit_adapter",
    "load_router",
    "register",
    "unregister",
    "use_centroids",
]

_MODULES = {
    "Embedder": "embedder",
    "LoRAHuggingFaceEncoder": "encoder",
    "SemanticRouterLoraError": "errors",
    "fit_adapter": "fitting.fit",
    "load_router": "registration",
    "register": "registration",
    "unregister": "registration",
    "use_centroids": "centroids",
}


def __getattr__(name: str) -> Any:
    # torch and transformers take seconds to import: only who uses them waits for them
    if name in _MODULES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
