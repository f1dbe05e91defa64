"""The encoder that a semantic-router takes: a thin shell over `Embedder`."""

from __future__ import annotations

import os
from contextvars import ContextVar
from typing import Any, Optional

from semantic_router.encoders import HuggingFaceEncoder

from semantic_router_lora.adapters.resolve import DEFAULT_ADAPTER
from semantic_router_lora.embedder import Embedder
from semantic_router_lora.errors import InputError
from semantic_router_lora.export.folder import is_exported
from semantic_router_lora.reference import ModelReference
from semantic_router_lora.registration import ENCODER_TYPE, encoder_has_threshold, field_names

# An embedder that is there already, on its way through the parent's constructor.
_given: ContextVar[Embedder | None] = ContextVar("_given", default=None)


class LoRAHuggingFaceEncoder(HuggingFaceEncoder):
    """A Hugging Face encoder with a LoRA adapter merged into it.

    Goes wherever semantic-router takes a dense encoder: ``RouteLayer`` (0.0.x),
    ``SemanticRouter`` and ``HybridRouter`` (0.1 to 0.3), ``IndexedRouter`` (1.x).

    Args:
        adapter: bundled name, folder or Hub id; the default is the bundled multi-domain adapter.
        base_model: where the base lies, if not where the adapter's configuration says.
        name: ``<base>+lora:<adapter>``, in place of the two above; what a router file holds. Or
            the path of an exported folder, where that holds no adapter.
        device: ``cuda``, ``mps``, ``cpu``, ...; None takes the best there is.
        dtype: ``float32``, ``bfloat16``, ``float16`` or ``auto``; see `Embedder`.
        engine: ``auto``, ``packed``, ``transformers`` or ``onnx``; see `Embedder`.
        threads: most CPU threads that it keeps busy; None takes PyTorch's setting.
        cache_size: so many vectors are kept and given again for the same text.
        score_threshold: in the lines before 1.0, where the encoder keeps it; default 0.5.

    Raises:
        InputError: on an unknown argument, or one that does not fit the installed line.
        ModelReferenceError, BaseModelError, AdapterError: as `Embedder` does.
    """

    type: str = ENCODER_TYPE
    adapter: Optional[str] = None  # noqa: UP045  (read by pydantic v1 in the 0.0 line)
    base_model: Optional[str] = None  # noqa: UP045
    dtype: str = "float32"
    engine: str = "auto"
    threads: Optional[int] = None  # noqa: UP045
    cache_size: int = 0

    def __init__(self, **data: Any) -> None:
        _check_arguments(type(self), data)
        parsed = ModelReference.parse(data["name"]) if data.get("name") else None
        exported = is_exported(parsed.base if parsed else data.get("base_model"))
        if parsed is not None and parsed.adapter is None and not exported:
            raise InputError(
                f"name {data['name']!r} has no adapter; expected '<base>+lora:<adapter>'. For a "
                f"base model alone, take semantic-router's HuggingFaceEncoder"
            )
        for field, part in (
            ("base_model", parsed and parsed.base),
            ("adapter", parsed and parsed.adapter),
        ):
            if part is not None and data.setdefault(field, part) not in (None, part):
                raise InputError(f"name says {field} {part!r}, {field}= says {data[field]!r}")
            data[field] = data[field] if data.get(field) is not None else part
        if data["adapter"] is None and not exported:
            data["adapter"] = DEFAULT_ADAPTER
        # The parent's constructor calls `_initialize_hf_model`.
        super().__init__(**data)  # type: ignore[no-untyped-call]  # untyped in some lines
        self.name = self.embedder.reference
        resolved = ModelReference.parse(self.name)
        self.base_model, self.adapter = resolved.base, resolved.adapter
        self.device = str(self.embedder.device)

    def _initialize_hf_model(self) -> tuple[None, Embedder]:
        embedder = _given.get() or Embedder(
            self.base_model,
            self.adapter,
            device=self.device or "auto",
            dtype=self.dtype,  # type: ignore[arg-type]  # checked by Embedder
            engine=self.engine,  # type: ignore[arg-type]
            threads=self.threads,
            cache_size=self.cache_size,
        )
        return None, embedder  # the parent's slots for tokenizer and model

    def with_adapter(self, adapter: str) -> LoRAHuggingFaceEncoder:
        """An encoder with another adapter over the same base, which both share in memory.

        Ready in milliseconds; see `Embedder.with_adapter` for what it costs and raises.
        """
        given = self.embedder.with_adapter(adapter)
        options: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("device", "dtype", "engine", "threads", "cache_size", "score_threshold")
            if name in field_names(type(self))
        }
        token = _given.set(given)
        try:
            return type(self)(name=given.reference, **options)
        finally:
            _given.reset(token)

    @property
    def embedder(self) -> Embedder:
        """What does the work; also gives float32 arrays and the fingerprint."""
        embedder: Embedder = self._model
        return embedder

    def __call__(
        self,
        docs: list[str],
        batch_size: int = 32,
        normalize_embeddings: bool = True,
        pooling_strategy: str | None = None,
    ) -> list[list[float]]:
        """Embed texts.

        Args:
            docs: a list of strings.
            batch_size: accepted for the parent's sake, and without effect: batches are formed by
                length.
            normalize_embeddings: must be true, because the adapter was trained so.
            pooling_strategy: None or the base model's own.

        Returns:
            One vector of unit length for each text, as lists, which every index accepts.

        Raises:
            InputError: if docs is not a list of valid strings, or an option would change what
                the vectors mean.
        """
        if not normalize_embeddings:
            raise InputError(
                "normalize_embeddings=False is not supported: vectors are of unit length"
            )
        if pooling_strategy not in (None, self.embedder.pooling):
            raise InputError(
                f"pooling_strategy is {pooling_strategy!r}; this base model pools by "
                f"{self.embedder.pooling!r}"
            )
        vectors: list[list[float]] = self.embedder.encode(docs).tolist()
        return vectors

    async def acall(self, docs: list[str]) -> list[list[float]]:
        """Embed texts in a worker thread, together with those of other callers that wait.

        Raises:
            InputError: if docs is not a list of valid strings; other callers are not affected.
        """
        vectors: list[list[float]] = (await self.embedder.aencode(docs)).tolist()
        return vectors


def _check_arguments(encoder: Any, data: dict[str, Any]) -> None:
    """Refuse what pydantic would pass over in silence."""
    if "score_threshold" in data and not encoder_has_threshold():
        raise InputError(
            "this semantic-router has no threshold on the encoder: "
            "pass confidence_threshold= to the router or route"
        )
    for name in ("tokenizer_kwargs", "model_kwargs"):
        if data.get(name):
            raise InputError(f"{name} is not supported; use device= and dtype=")
    for name in ("name", "adapter", "base_model"):
        if isinstance(data.get(name), os.PathLike):
            data[name] = str(data[name])
        if not isinstance(data.get(name), (str, type(None))):
            raise InputError(f"{name} is {data[name]!r}, expected a text")
    unknown = sorted(data.keys() - field_names(encoder))
    if unknown:
        raise InputError(f"unknown arguments {unknown}")
    if data.get("type", ENCODER_TYPE) != ENCODER_TYPE:
        raise InputError(f"type is {data['type']!r}, expected {ENCODER_TYPE!r}")
