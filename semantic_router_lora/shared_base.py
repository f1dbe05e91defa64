"""A base in memory that many adapters share."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.read import read_adapter
from semantic_router_lora.adapters.resolve import resolve_adapter
from semantic_router_lora.adapting import (
    adapted_engine,
    embed_each,
    packed_engine,
    updates_for,
)
from semantic_router_lora.base_tokenizer import BaseTokenizer
from semantic_router_lora.building import tokenizer_for
from semantic_router_lora.errors import InputError
from semantic_router_lora.loading import Loaded, fingerprint
from semantic_router_lora.reference import existing_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Adapters that are kept for rows of texts: each takes a few megabytes with its tokenizer.
_MOST_KEPT = 64
# What decides an adapter's vectors.
_ADAPTER_FILES = (layout.CONFIG, layout.WEIGHTS, layout.TOKENIZER, layout.TRAINING_INFO)


class SharedBase:
    """A loaded model, and the adapters that lie beside its weights. Safe to use in threads.

    Args:
        loaded: with an adapter merged or without.

    Attributes:
        kept: gives what was loaded for an adapter's name and state; see `adapter_state`.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        own_tokenizer = loaded.adapter is not None and loaded.adapter.tokenizer is not None
        self._base_tokenizer = BaseTokenizer(
            loaded.base, None if own_tokenizer else loaded.tokenizer
        )
        # the state is only there to tell apart what is remembered
        self.kept = functools.lru_cache(_MOST_KEPT)(lambda adapter, _: self.with_adapter(adapter))

    def with_adapter(self, adapter: str | None) -> Loaded:
        """The same weights with another adapter; arguments and errors as of `Embedder`."""
        loaded = self._loaded
        if loaded.engine_name != "packed" or loaded.dtype != "float32":
            raise InputError(
                f"adapters share a base on the packed engine in float32 only; this one runs on "
                f"the {loaded.engine_name} engine in {loaded.dtype}"
            )
        engine = packed_engine(loaded.engine)
        config = engine.config
        location = resolve_adapter(adapter) if adapter is not None else None
        found = read_adapter(location.name, location.folder) if location else None
        if found is None or found.tokenizer is None:
            tokenizer = self._base_tokenizer.get(config)
        else:
            tokenizer = tokenizer_for(
                loaded.base, found, config.max_position_embeddings, config.vocab_size
            )
        updates = updates_for(engine, loaded.base, loaded.adapter, found, tokenizer)
        return replace(
            loaded,
            adapter=found,
            tokenizer=tokenizer,
            engine=adapted_engine(engine, updates),
            fingerprint=fingerprint(loaded.base, found, tokenizer, loaded.dtype),
        )

    def encode(
        self,
        texts: Sequence[str],
        adapters: Sequence[str | None],
        most: int,
        *,
        show_progress: bool,
    ) -> NDArray[np.float32]:
        """Embed texts with an adapter for each of them.

        Args:
            texts: any number, checked.
            adapters: as many, checked.
            most: tokens of a batch.
            show_progress: draw a progress bar on standard error.

        Returns:
            float32 (texts, dim).

        Raises:
            Exception: of `with_adapter`.
        """
        if not texts:
            return np.empty((0, self._loaded.engine.dim), dtype=np.float32)
        found = {name: self.kept(name, adapter_state(name)) for name in dict.fromkeys(adapters)}
        assert self._loaded.workers is not None  # the packed engine runs on the CPU
        return embed_each(
            texts,
            [found[name].tokenizer for name in adapters],
            [found[name].engine for name in adapters],
            self._loaded.workers,
            most,
            show_progress=show_progress,
        )


def adapter_state(name: str | None) -> tuple[object, ...]:
    """Changes whenever the files of an adapter's folder do; of no other adapter.

    The time of the last change of a file is part of it, because copies keep the time of writing
    of their originals.
    """
    folder = existing_folder(name) if name is not None else None
    if folder is None:
        return ()
    state: list[object] = [folder]
    for file in _ADAPTER_FILES:
        try:
            found = (folder / file).stat()
        except OSError:
            state.append(None)
        else:
            state.append((found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
    return tuple(state)


def check_adapters(adapters: object, texts: int) -> list[str | None]:
    """Accept an adapter, or None, for each of so many texts, and nothing else.

    Raises:
        InputError: naming what was got, and where in the list.
    """
    if isinstance(adapters, (str, bytes)) or not isinstance(adapters, Iterable):
        raise InputError(
            f"adapters is {adapters!r}, expected a list with the adapter of each text, or None"
        )
    checked: list[str | None] = []
    for position, adapter in enumerate(adapters):
        if adapter is not None and not isinstance(adapter, (str, os.PathLike)):
            raise InputError(
                f"expected a list of adapters, got {type(adapter).__name__} at position {position}"
            )
        checked.append(None if adapter is None else str(adapter))
    if len(checked) != texts:
        raise InputError(f"got {texts} texts and {len(checked)} adapters")
    return checked
