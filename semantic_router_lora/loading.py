"""From references to a model that runs: what is found, checked, merged and where it runs."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from semantic_router_lora.adapters.read import Adapter, named_base, read_adapter, read_config
from semantic_router_lora.adapters.resolve import resolve_adapter
from semantic_router_lora.base_models import BaseModel, resolve_base
from semantic_router_lora.building import EngineName, build
from semantic_router_lora.devices import HostCpu, torch_device
from semantic_router_lora.engines.workers import Workers
from semantic_router_lora.errors import InputError, ModelReferenceError
from semantic_router_lora.export.folder import is_exported, read_exported
from semantic_router_lora.options import DType, check_exported

if TYPE_CHECKING:
    import torch

    from semantic_router_lora.engines.protocol import Engine
    from semantic_router_lora.tokenization import TextTokenizer


@dataclass(frozen=True)
class Loaded:
    """A model that runs.

    Attributes:
        base: the base model.
        adapter: what is merged into it; None for an exported folder, too.
        device: where it runs.
        workers: threads of the CPU; None on another device, where batches run in the caller's
            thread, one after the other.
        tokenizer: feeds the engine.
        engine: makes vectors.
        engine_name: which one ``auto`` came to.
        dtype: what ``auto`` came to, or what was exported.
        fingerprint: of all that makes the vectors.
    """

    base: BaseModel
    adapter: Adapter | None
    device: torch.device | HostCpu
    workers: Workers | None
    tokenizer: TextTokenizer
    engine: Engine
    engine_name: EngineName
    dtype: str
    fingerprint: str


def load(
    base: str | None,
    adapter: str | None,
    *,
    device: str,
    dtype: DType,
    engine: EngineName,
    threads: int | None,
) -> Loaded:
    """Find, check and merge what references name; arguments and errors as of `Embedder`."""
    if base is None and adapter is None:
        raise ModelReferenceError("name a base model, an adapter, or both")
    if base is not None and is_exported(base):
        return _load_exported(base, adapter, device, dtype, engine, threads)
    if engine == "onnx":
        raise InputError(
            f"engine='onnx' runs exported folders, and {base or adapter} is none; write one "
            f"with: semantic-router-lora export --engine onnx REFERENCE FOLDER"
        )
    location = resolve_adapter(adapter) if adapter is not None else None
    if base is None and location is not None:
        base = named_base(read_config(location.name, location.folder))
        if base is None:
            raise ModelReferenceError(f"adapter {adapter} names no base model: pass base=")
    assert base is not None
    found = resolve_base(base)
    read = read_adapter(location.name, location.folder) if location else None
    chosen = torch_device(device or "auto")
    workers = Workers(threads) if chosen.type == "cpu" else None
    prepare = functools.partial(build, found, read, device=chosen, dtype=dtype, engine=engine)
    built = workers.run(prepare) if workers else prepare()
    found = found.as_loaded()
    return Loaded(
        base=found,
        adapter=read,
        device=chosen,
        workers=workers,
        tokenizer=built.tokenizer,
        engine=built.engine,
        engine_name=built.engine_name,
        dtype=built.dtype,
        fingerprint=fingerprint(found, read, built.tokenizer, built.dtype),
    )


def _load_exported(
    folder: str,
    adapter: str | None,
    device: str,
    dtype: str,
    engine: EngineName,
    threads: int | None,
) -> Loaded:
    exported = read_exported(folder)
    check_exported(exported, adapter, device, dtype, engine)
    workers = Workers(threads, uses_torch=False)
    tokenizer, runs = workers.run(exported.load)
    return Loaded(
        base=exported.base,
        adapter=None,
        device=HostCpu(),
        workers=workers,
        tokenizer=tokenizer,
        engine=runs,
        engine_name="onnx",
        dtype=exported.info.dtype,
        fingerprint=exported.info.fingerprint,
    )


def fingerprint(
    base: BaseModel, adapter: Adapter | None, tokenizer: TextTokenizer, dtype: str
) -> str:
    """16 hexadecimal digits over all that makes the vectors.

    Taken when all is read, so that it tells what is loaded, whatever changes later.
    """
    digest = hashlib.sha256()
    parts = (
        *base.fingerprint_parts(),
        adapter.fingerprint if adapter else "",
        tokenizer.serialized(),
        str(tokenizer.max_length),
        dtype,
    )
    for part in parts:
        digest.update(hashlib.sha256(part.encode()).digest())
    return digest.hexdigest()[:16]
