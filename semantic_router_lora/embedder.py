"""Base model + LoRA adapter → sentence vectors. Knows nothing of semantic-router."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from semantic_router_lora.adapters.read import Adapter, named_base, read_adapter, read_config
from semantic_router_lora.adapters.resolve import resolve_adapter
from semantic_router_lora.base_models import resolve_base
from semantic_router_lora.errors import (
    AdapterFormatError,
    AdapterMismatchError,
    BaseModelError,
    InputError,
    ModelReferenceError,
)
from semantic_router_lora.reference import ModelReference
from semantic_router_lora.tokenization import TextTokenizer, check_texts, load_tokenizer

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from transformers import PreTrainedModel

    from semantic_router_lora.engines.transformers import TransformersEngine

logger = logging.getLogger(__name__)

DType = Literal["float32", "bfloat16", "float16"]
DTYPES: tuple[DType, ...] = ("float32", "bfloat16", "float16")

# Texts tokenised at a time: bounds memory on long inputs, and is wide enough to sort by length.
_WINDOW = 8192
# An adapter must move some probe vector by more than this; rounding alone stays far below.
_NO_OP_TOLERANCE = 1e-5
_PROBES = ("What are the symptoms of diabetes?", "How do I undo the last commit?")


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
        max_seq_length: tokens kept of a text, special tokens included.
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
        self._tokenizer, self._engine = self._build(dtype)
        self.fingerprint = self._fingerprint(dtype)

    @classmethod
    def from_reference(cls, reference: str, **options: Any) -> Embedder:
        """Build from ``<base>`` or ``<base>+lora:<adapter>``; options as for the constructor."""
        parsed = ModelReference.parse(reference)
        return cls(parsed.base, parsed.adapter, **options)

    def _build(self, dtype: DType) -> tuple[TextTokenizer, TransformersEngine]:
        import torch

        from semantic_router_lora.engines.transformers import (
            LOADING,
            TransformersEngine,
            load_model,
            position_count,
        )

        with LOADING:
            model = load_model(self._base)
            tokenizer = self._load_tokenizer(model, position_count(model))
            if self._adapter is not None:
                _check_base_weights(self._adapter, self._base.weights_sha256)
                model = self._merge(model, tokenizer, self._adapter)
        engine = TransformersEngine(
            model.to(getattr(torch, dtype)),
            pooling=self._base.pooling,
            pad_id=model.config.pad_token_id or 0,
            device=self.device,
        )
        if not np.isfinite(engine.embed(tokenizer(_PROBES))).all():
            raise BaseModelError(
                f"{self.reference} gives NaN or infinite vectors in {dtype}: its weights are not "
                f"finite, or too large for that type"
            )
        return tokenizer, engine

    def _load_tokenizer(self, model: PreTrainedModel, positions: int) -> TextTokenizer:
        own = self._adapter.tokenizer if self._adapter is not None else None
        try:
            tokenizer = load_tokenizer(
                own or self._base.folder,
                lower_case=self._base.lower_case,
                max_length=self._base.max_seq_length,
                positions=positions,
            )
        except BaseModelError as error:
            if own is None:
                raise
            raise AdapterFormatError(f"the adapter's own tokenizer: {error}") from error
        self.max_seq_length = tokenizer.max_length
        rows = cast("torch.nn.Embedding", model.get_input_embeddings()).num_embeddings
        if tokenizer.highest_id >= rows:
            problem = (
                f"has a token of number {tokenizer.highest_id}, but {self._base.name} embeds only "
                f"{rows}"
            )
            if own is not None:
                raise AdapterMismatchError(f"the adapter's own tokenizer {own} {problem}")
            raise BaseModelError(f"its tokenizer {problem}")
        return tokenizer

    def _merge(
        self, model: PreTrainedModel, tokenizer: TextTokenizer, adapter: Adapter
    ) -> PreTrainedModel:
        import torch

        from semantic_router_lora.adapters.merge import merge_adapter

        def probe() -> torch.Tensor:
            with torch.inference_mode():
                return torch.cat(
                    [model(input_ids=torch.tensor([ids]))[0][0] for ids in tokenizer(_PROBES)]
                )

        model.eval()
        before = probe()
        model = merge_adapter(model, adapter).eval()
        change = float((probe() - before).abs().max())
        if not change > _NO_OP_TOLERANCE:
            raise AdapterMismatchError(
                f"adapter {adapter.name} changes nothing in {self._base.name} "
                f"(largest change of a token vector: {change:.1e})"
            )
        return model

    @property
    def reference(self) -> str:
        """``<base>+lora:<adapter>``, or ``<base>`` alone: enough to build this embedder again."""
        return str(ModelReference(self._base.name, self._adapter.name if self._adapter else None))

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


def _check_base_weights(adapter: Adapter, digest: str) -> None:
    if adapter.base_sha256 not in (None, digest):
        raise AdapterMismatchError(
            f"adapter {adapter.name} was trained on {adapter.base_model} with weights of SHA-256 "
            f"{adapter.base_sha256}; the base found has {digest}"
        )


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
