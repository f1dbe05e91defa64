"""Base model + LoRA adapter → sentence vectors. Knows nothing of semantic-router."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from semantic_router_lora.adapters.read import named_base, read_adapter, read_config
from semantic_router_lora.adapters.resolve import resolve_adapter
from semantic_router_lora.base_models import resolve_base
from semantic_router_lora.building import build
from semantic_router_lora.errors import (
    AdapterMismatchError,
    InputError,
    ModelReferenceError,
)
from semantic_router_lora.reference import ModelReference
from semantic_router_lora.tokenization import check_texts

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


logger = logging.getLogger(__name__)

DType = Literal["float32", "bfloat16", "float16"]
DTYPES: tuple[DType, ...] = ("float32", "bfloat16", "float16")

# Texts tokenised at a time: bounds memory on long inputs, and is wide enough to sort by length.
_WINDOW = 8192


class Embedder:
    """A sentence encoder: a base model with a LoRA adapter merged into it.

    Immutable and thread-safe once built. The same text gives the same vector whatever it is
    embedded with (to 1e-6 in float32).

    Args:
        base: folder or Hub id (``owner/name[@revision]``) of the base model; None takes the one
            that the adapter's configuration names.
        adapter: bundled name, folder or Hub id; None gives the base model alone.
        device: ``auto`` (cuda, else mps, else cpu) or a torch device such as ``cuda:1``.
        dtype: ``float32``, or ``bfloat16``/``float16`` for weights and arithmetic; the vectors
            are float32 in any case.
        max_batch_tokens: most tokens, padding included, of one forward pass.

    Attributes:
        fingerprint: 16 hexadecimal digits over base weights and configuration, adapter, tokenizer,
            pooling, length and dtype: two caches may share vectors only if it is equal.
        device: where it runs.

    Raises:
        ModelReferenceError: if a reference names nothing.
        BaseModelError: if the base is missing, incomplete or unsupported.
        AdapterError: if the adapter is corrupt, unsafe, or does not belong to the base.
        InputError: if an option is out of range.
    """

    def __init__(
        self,
        base: str | None = None,
        adapter: str | None = None,
        *,
        device: str = "auto",
        dtype: DType = "float32",
        max_batch_tokens: int = 4096,
    ) -> None:
        if base is None and adapter is None:
            raise ModelReferenceError("name a base model, an adapter, or both")
        if dtype not in DTYPES:
            raise InputError(f"dtype is {dtype!r}, expected one of {', '.join(DTYPES)}")
        if max_batch_tokens < 1:
            raise InputError(f"max_batch_tokens is {max_batch_tokens}, expected at least 1")
        self._options: dict[str, Any] = {
            "device": device,
            "dtype": dtype,
            "max_batch_tokens": max_batch_tokens,
        }
        location = resolve_adapter(adapter) if adapter is not None else None
        if base is None and location is not None:
            base = named_base(read_config(location.name, location.folder))
            if base is None:
                raise ModelReferenceError(f"adapter {adapter} names no base model: pass base=")
        assert base is not None
        self._base = resolve_base(base)
        self._adapter = read_adapter(location.name, location.folder) if location else None
        self.device = _torch_device(device or "auto")
        self._max_batch_tokens = max_batch_tokens
        self._tokenizer, self._engine = build(self._base, self._adapter, self.device, dtype)
        self.fingerprint = self._fingerprint(dtype)

    @classmethod
    def from_reference(cls, reference: str, **options: Any) -> Embedder:
        """Build from ``<base>`` or ``<base>+lora:<adapter>``; options as for the constructor."""
        parsed = ModelReference.parse(reference)
        return cls(parsed.base, parsed.adapter, **options)

    @property
    def reference(self) -> str:
        """``<base>+lora:<adapter>``, or ``<base>`` alone: enough to build this embedder again."""
        return str(ModelReference(self._base.name, self._adapter.name if self._adapter else None))

    @property
    def max_seq_length(self) -> int:
        """Tokens kept of a text, special tokens included."""
        return self._tokenizer.max_length

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._engine.dim

    @property
    def pooling(self) -> str:
        """How token vectors become one: ``mean``, ``cls`` or ``max``."""
        return self._base.pooling

    def _fingerprint(self, dtype: DType) -> str:
        """Taken when all is read, so that it tells what is loaded, whatever changes later."""
        digest = hashlib.sha256()
        parts = (
            *self._base.fingerprint_parts(),
            self._adapter.fingerprint if self._adapter else "",
            self._tokenizer.serialized(),
            str(self.max_seq_length),
            dtype,
        )
        for part in parts:
            digest.update(hashlib.sha256(part.encode()).digest())
        return digest.hexdigest()[:16]

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> NDArray[np.float32]:
        """Embed texts.

        Args:
            texts: any number of strings, the empty one included.
            show_progress: draw a progress bar on standard error.

        Returns:
            float32 (len(texts), dim), rows of unit length, in the order of the texts.

        Raises:
            InputError: if anything but a list or tuple of valid strings is passed.
        """
        checked = check_texts(texts)
        vectors = np.empty((len(checked), self.dim), dtype=np.float32)
        with _progress(len(checked), show_progress) as bar:
            for start in range(0, len(checked), _WINDOW):
                tokens = self._tokenizer(checked[start : start + _WINDOW])
                for rows in self._batches([len(ids) for ids in tokens]):
                    vectors[start + rows] = self._engine.embed([tokens[row] for row in rows])
                    bar.update(len(rows))
        return vectors

    def _batches(self, lengths: Sequence[int]) -> Iterator[NDArray[np.intp]]:
        """Row numbers by falling length, cut where padding would exceed the token budget."""
        order = np.argsort(-np.asarray(lengths), kind="stable")
        start = 0
        while start < len(order):
            widest = max(1, lengths[order[start]])
            size = max(1, self._max_batch_tokens // widest)
            yield order[start : start + size]
            start += size

    def __deepcopy__(self, memo: dict[int, Any]) -> Embedder:
        return self  # immutable: a copy would only double the memory

    def __reduce__(self) -> tuple[Any, ...]:
        # By reference, not by weights: small, and nothing but names crosses to another process.
        # The other side may resolve them to other files, hence the fingerprint.
        return (_rebuild, (self.reference, self._options, self.fingerprint))

    def __repr__(self) -> str:
        return f"Embedder({self.reference!r}, device={str(self.device)!r})"


def _rebuild(reference: str, options: dict[str, Any], fingerprint: str) -> Embedder:
    embedder = Embedder.from_reference(reference, **options)
    if embedder.fingerprint != fingerprint:
        raise AdapterMismatchError(
            f"{reference} is not here what it was where it was pickled: "
            f"fingerprint {embedder.fingerprint}, expected {fingerprint}"
        )
    return embedder


def _torch_device(device: str) -> torch.device:
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            device = "cuda"
        else:
            device = "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(f"device {device!r} cannot be used: {error}") from error
    return chosen


def _progress(total: int, shown: bool) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, unit="text", disable=not shown, smoothing=0.05)
