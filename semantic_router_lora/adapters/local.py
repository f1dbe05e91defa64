"""What of an adapter is on this machine, found without any download."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from semantic_router_lora.adapters.resolve import resolve_adapter
from semantic_router_lora.errors import SemanticRouterLoraError
from semantic_router_lora.hub import local_only


@dataclass(frozen=True)
class LocalState:
    """An adapter's files here, and what they come to.

    Attributes:
        folder: None if it is not here.
        fingerprint: of an `Embedder` with it, in float32; None if that cannot be built here.
        reason: why one of the two is None.
    """

    folder: Path | None
    fingerprint: str | None
    reason: str = ""


def local_state(reference: str) -> LocalState:
    """Look for an adapter, and take its fingerprint if its base is here too."""
    with local_only():
        try:
            location = resolve_adapter(reference)
        except SemanticRouterLoraError as error:
            return LocalState(None, None, str(error))
        from semantic_router_lora.embedder import Embedder

        try:
            embedder = Embedder(adapter=reference, device="cpu")
        except SemanticRouterLoraError as error:
            return LocalState(location.folder, None, str(error))
        return LocalState(location.folder, embedder.fingerprint)
