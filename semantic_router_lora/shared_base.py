"""What embedders over one base share beside its weights, and whether an adapter's files changed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from semantic_router_lora.adapters import layout
from semantic_router_lora.base_models import BaseModel, file_sha256
from semantic_router_lora.building import tokenizer_for
from semantic_router_lora.errors import BaseModelError, InputError
from semantic_router_lora.reference import existing_folder

if TYPE_CHECKING:
    from semantic_router_lora.engines.bert import BertConfig
    from semantic_router_lora.tokenization import TextTokenizer

# What a tokenizer may be read from.
_TOKENIZER_FILES = (".json", ".txt", ".model")
# What decides an adapter's vectors.
_ADAPTER_FILES = (layout.CONFIG, layout.WEIGHTS, layout.TOKENIZER, layout.TRAINING_INFO)


class BaseTokenizer:
    """The tokenizer of a base, as it was when the base was loaded.

    Args:
        base: the base model.
        loaded: its tokenizer; None, where an adapter's own was loaded instead of it, leaves it to
            be read when it is first needed.
    """

    def __init__(self, base: BaseModel, loaded: TextTokenizer | None) -> None:
        self._base = base
        self._loaded = loaded
        self._seen = None if loaded else _digests(base.folder)

    def get(self, config: BertConfig) -> TextTokenizer:
        """The tokenizer, for a model of these sizes.

        Raises:
            BaseModelError: if it is still to be read, and its files are others by now.
        """
        if self._loaded is None:
            self._check()
            read = tokenizer_for(
                self._base, None, config.max_position_embeddings, config.vocab_size
            )
            self._check()  # again, so that what was read is what was seen
            self._loaded = read
        return self._loaded

    def _check(self) -> None:
        if _digests(self._base.folder) != self._seen:
            raise BaseModelError(
                f"the files of {self._base.name} changed or went since it was loaded, and its "
                f"tokenizer was not read before: load the base again"
            )


def _digests(folder: Path) -> dict[str, str]:
    try:
        return {
            path.name: file_sha256(path)
            for path in sorted(folder.iterdir())
            if path.suffix in _TOKENIZER_FILES and path.is_file()
        }
    except OSError:  # the folder, or a file of it, goes at this moment
        return {}


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
