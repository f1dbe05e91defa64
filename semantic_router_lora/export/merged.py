"""Merging an adapter into its base for good: a model that needs neither peft nor this package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from semantic_router_lora.adapters.read import Adapter, read_adapter
from semantic_router_lora.adapters.resolve import resolve_adapter
from semantic_router_lora.base_models import BaseModel, resolve_base
from semantic_router_lora.embedder import Embedder
from semantic_router_lora.errors import BaseModelError, InputError
from semantic_router_lora.export.folder import is_exported
from semantic_router_lora.export.merged_card import write_card
from semantic_router_lora.export.merged_files import write_modules, write_tokenizer, write_weights
from semantic_router_lora.export.output import check_parent, folder_beside
from semantic_router_lora.export.proof import PROBES, TOLERANCE, largest_difference
from semantic_router_lora.reference import ModelReference

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class MergedModel:
    """What was written.

    Attributes:
        reference: ``<base>+lora:<adapter>``.
        fingerprint: of base and adapter.
        merged_fingerprint: of the folder, whose weights are others by rounding.
        difference: the largest in one dimension, between the folder's vectors and the embedder's.
        obstacle: why semantic-router's HuggingFaceEncoder gives other vectors; None if it does not.
    """

    reference: str
    fingerprint: str
    merged_fingerprint: str
    difference: float
    obstacle: str | None


def merge_model(reference: str, output: Path) -> MergedModel:
    """Write base and adapter as one model folder, in the layout of sentence-transformers.

    Args:
        reference: ``<base>+lora:<adapter>``, or an adapter (bundled name, folder or Hub id) whose
            configuration names its base.
        output: a folder that does not exist yet, or is empty; it appears when it is complete and
            its vectors were compared.

    Raises:
        InputError: if the output is there already or cannot be written, or the reference is an
            exported folder or has no adapter.
        BaseModelError: if the folder's vectors are not those of the embedder.
        ModelReferenceError, BaseModelError, AdapterError: as `Embedder` does.
    """
    _check_output(output)
    source = _source(reference)
    base, adapter = _parts(source)
    with folder_beside(output) as folder:
        merged = _written(folder, output.resolve().name, source, base, adapter)
        _place(folder, output)
    return merged


def _check_output(output: Path) -> None:
    check_parent(output)
    if output.exists() and not output.is_dir():
        raise InputError(f"output {output} exists and is no folder")
    if output.is_dir() and any(output.iterdir()):
        raise InputError(f"output {output} exists and is not empty: not replaced")


def _source(reference: str) -> Embedder:
    parsed = ModelReference.parse(reference)
    if is_exported(parsed.base):
        raise InputError(f"{reference} is an exported folder; merge what it was made from")
    if parsed.adapter is None:
        return Embedder(adapter=reference, device="cpu")
    return Embedder(parsed.base, parsed.adapter, device="cpu")


def _parts(source: Embedder) -> tuple[BaseModel, Adapter]:
    named = ModelReference.parse(source.reference)
    assert named.adapter is not None
    location = resolve_adapter(named.adapter)
    return resolve_base(named.base), read_adapter(location.name, location.folder)


def _written(
    folder: Path, name: str, source: Embedder, base: BaseModel, adapter: Adapter
) -> MergedModel:
    """Fill a folder, load it again and compare."""
    from safetensors import SafetensorError

    try:
        write_weights(folder, base, adapter)
        write_modules(folder, base, dim=source.dim, max_length=source.max_seq_length)
        write_tokenizer(folder, base, adapter, max_length=source.max_seq_length)
        merged = _proven(folder, source, base)
        write_card(folder, name=name, source=source, base=base, adapter=adapter, merged=merged)
    except (OSError, SafetensorError) as error:
        raise InputError(f"the merged model cannot be written: {error}") from error
    return merged


def _proven(folder: Path, source: Embedder, base: BaseModel) -> MergedModel:
    """What is found when the folder is loaded again, here and by semantic-router's own encoder.

    Raises:
        BaseModelError: if its vectors are not those of the embedder.
    """
    expected = source.encode(PROBES)
    again = Embedder(str(folder), device="cpu")
    difference = largest_difference(expected, again.encode)
    if not difference <= TOLERANCE:  # also if it is not a number
        raise _other_vectors(source, "this package", difference)
    stock = largest_difference(expected, _stock_encoder(folder))
    obstacle = None
    if not stock <= TOLERANCE:
        if base.pooling != "mean":
            obstacle = f"takes the mean of token vectors, where this model pools by {base.pooling}"
        elif base.lower_case:
            obstacle = "does not lower-case texts first, as this model needs"
        else:
            raise _other_vectors(source, "semantic-router's HuggingFaceEncoder", stock)
        obstacle = f"semantic-router's HuggingFaceEncoder {obstacle}: use its LocalEncoder."
    return MergedModel(
        source.reference, source.fingerprint, again.fingerprint, difference, obstacle
    )


def _stock_encoder(folder: Path) -> Callable[[Sequence[str]], NDArray[np.float32]]:
    from semantic_router.encoders import HuggingFaceEncoder

    from semantic_router_lora.engines.transformers import LOADING, quiet

    with LOADING, quiet():
        encoder = HuggingFaceEncoder(name=str(folder), device="cpu")
    return lambda texts: np.asarray(encoder(list(texts)), dtype=np.float32)


def _other_vectors(source: Embedder, loaded: str, difference: float) -> BaseModelError:
    return BaseModelError(
        f"merged and loaded again by {loaded}, {source.reference} gives other vectors "
        f"(largest difference {difference:.1e}): nothing was written"
    )


def _place(folder: Path, output: Path) -> None:
    target = output.resolve()
    try:
        if target.exists():
            target.rmdir()  # refuses if it was filled meanwhile
        folder.rename(target)
    except OSError as error:
        raise InputError(f"output {output} cannot be written: {error.strerror}") from error
