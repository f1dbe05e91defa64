"""Base model + LoRA adapter → sentence vectors. Knows nothing of semantic-router."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from semantic_router_lora.batching import MOST_TOKENS, embed_texts
from semantic_router_lora.building import EngineName
from semantic_router_lora.coalescing import Coalescer
from semantic_router_lora.errors import AdapterMismatchError
from semantic_router_lora.loading import Loaded, load
from semantic_router_lora.options import DType, check_options
from semantic_router_lora.reference import ModelReference
from semantic_router_lora.shared_base import SharedBase, check_adapters
from semantic_router_lora.tokenization import check_texts
from semantic_router_lora.vector_cache import VectorCache

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Embedder:
    """A sentence encoder: a base model with a LoRA adapter merged into it.

    Immutable, thread-safe and safe to use on both sides of a fork. The same text gives the same
    vector whatever it is embedded with (to 1e-6 in float32).

    Args:
        base: folder or Hub id (``owner/name[@revision]``) of the base model; None takes the one
            that the adapter's configuration names. Or an exported folder, which needs no adapter.
        adapter: bundled name, folder or Hub id; None gives the base model alone.
        device: ``auto`` (cuda, else mps, else cpu) or a torch device such as ``cuda:1``.
        dtype: ``float32``, or ``bfloat16``/``float16`` for weights and arithmetic; the vectors
            are float32 in any case. ``auto`` is bfloat16 where the packed engine runs on a CPU
            that multiplies it faster (AMX, or AMD's AVX-512) and probe texts keep a cosine of
            0.9998 to float32, else float32.
        engine: ``packed``, which runs BERT on the CPU without padding and without importing
            transformers; ``transformers``, which runs any architecture and adapter; ``onnx``,
            which runs exported folders without importing PyTorch; ``auto`` takes the first where
            it can, and else logs a warning with the reason; for an exported folder, the last.
        threads: most CPU threads that forward passes keep busy, over all callers; None takes
            PyTorch's own setting (``torch.get_num_threads()``) at this moment; for an exported
            folder, OMP_NUM_THREADS or else the number of CPUs. The setting of the caller's
            threads is neither used later nor changed.
        max_batch_tokens: most tokens, padding included, of one forward pass; None takes what
            suits the engine.
        cache_size: vectors of so many texts are kept and given again for the same text; 0 keeps
            none.

    Attributes:
        fingerprint: 16 hexadecimal digits over base weights and configuration, adapter, tokenizer,
            pooling, length and dtype: two caches may share vectors only if it is equal. The engine
            is not part of it, because in float32 engines agree to 1e-5.
        device: where it runs.
        dtype: of weights and arithmetic: what ``auto`` came to, or what was exported (``int8`` is
            possible there, with a fingerprint of its own).
        engine: ``packed``, ``transformers`` or ``onnx``.

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
        engine: EngineName = "auto",
        threads: int | None = None,
        max_batch_tokens: int | None = None,
        cache_size: int = 0,
    ) -> None:
        check_options(
            dtype,
            engine,
            threads=threads,
            max_batch_tokens=max_batch_tokens,
            cache_size=cache_size,
        )
        loaded = load(base, adapter, device=device, dtype=dtype, engine=engine, threads=threads)
        self._options: dict[str, Any] = {
            "device": device,
            # not `auto`, which may come to another type elsewhere; an export has but one
            "dtype": dtype if loaded.engine_name == "onnx" else loaded.dtype,
            "engine": engine,
            "threads": threads,
            "max_batch_tokens": max_batch_tokens,
            "cache_size": cache_size,
        }
        self._shared = SharedBase(loaded)
        self._cache = VectorCache(cache_size) if cache_size else None
        self._max_batch_tokens = max_batch_tokens or MOST_TOKENS[loaded.engine_name]
        self._use(loaded)

    def _use(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self.device, self.dtype, self.engine = loaded.device, loaded.dtype, loaded.engine_name
        self.fingerprint = loaded.fingerprint
        self._coalescer = Coalescer(self.encode)

    @classmethod
    def from_reference(cls, reference: str, **options: Any) -> Embedder:
        """Build from ``<base>`` or ``<base>+lora:<adapter>``; options as for the constructor."""
        parsed = ModelReference.parse(reference)
        return cls(parsed.base, parsed.adapter, **options)

    @property
    def reference(self) -> str:
        """``<base>+lora:<adapter>``, or ``<base>`` alone: enough to build this embedder again."""
        adapter = self._loaded.adapter
        return str(ModelReference(self._loaded.base.name, adapter.name if adapter else None))

    @property
    def max_seq_length(self) -> int:
        """Tokens kept of a text, special tokens included.

        Characters beyond 4096 for each of them never count.
        """
        return self._loaded.tokenizer.max_length

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._loaded.engine.dim

    @property
    def pooling(self) -> str:
        """How token vectors become one: ``mean``, ``cls`` or ``max``."""
        return self._loaded.base.pooling

    def with_adapter(self, adapter: str | None) -> Embedder:
        """The same base with another adapter; weights, threads and cache are shared.

        The adapter lies beside the weights, not in them: it takes its own size of memory and is
        ready in milliseconds, and its vectors take about an eighth longer. They are equal to
        those of a merged adapter within 1e-5, and so is the fingerprint.

        Args:
            adapter: bundled name, folder or Hub id; None gives the base model alone.

        Raises:
            InputError: if this embedder does not run on the packed engine in float32.
            ModelReferenceError: if the reference names nothing.
            AdapterError: if the adapter is corrupt, unsafe, of a kind that can only be merged, or
                does not belong to the base.
            BaseModelError: if the base's own tokenizer is needed for the first time, and the
                base's files are others by now.
        """
        other = object.__new__(Embedder)
        other.__dict__.update(self.__dict__)
        other._use(self._shared.with_adapter(adapter))
        return other

    async def aencode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts together with those of other callers that wait; see `encode`.

        A call that finds none running starts at once; calls that come meanwhile make up the next
        batch. Cancelling a call takes its texts out, unless their batch has started.
        """
        return await self._coalescer.embed(check_texts(texts))

    def encode(
        self,
        texts: Sequence[str],
        *,
        adapters: Sequence[str | None] | None = None,
        show_progress: bool = False,
    ) -> NDArray[np.float32]:
        """Embed texts.

        Args:
            texts: any number of strings, the empty one included.
            adapters: an adapter for each text, as for `with_adapter`, in place of this
                embedder's own; None stands for the base alone. Only vectors of one adapter can be
                compared. The 64 used last are kept; a folder whose files changed is read again.
            show_progress: draw a progress bar on standard error, over the texts that are not
                taken from the cache.

        Returns:
            float32 (len(texts), dim), rows of unit length, in the order of the texts.

        Raises:
            InputError: if anything but a list or tuple of valid strings is passed, or anything but
                as many adapters as texts.
            Exception: of `with_adapter`, for its adapters.
        """
        checked = check_texts(texts)
        if adapters is not None:
            names = check_adapters(adapters, len(checked))
            return self._shared.encode(
                checked, names, self._max_batch_tokens, show_progress=show_progress
            )
        if self._cache is not None and checked:
            encode = functools.partial(self._encode, show_progress=show_progress)
            return self._cache.encode(self.fingerprint, checked, encode)
        return self._encode(checked, show_progress)

    def _encode(self, checked: Sequence[str], show_progress: bool = False) -> NDArray[np.float32]:
        return embed_texts(
            checked,
            self._loaded.tokenizer,
            self._loaded.engine,
            self._loaded.workers,
            self._max_batch_tokens,
            show_progress=show_progress,
        )

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
