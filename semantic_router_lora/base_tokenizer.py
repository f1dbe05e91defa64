"""The tokenizer of a base whose files may change after it was loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from semantic_router_lora.base_models import BaseModel, file_sha256
from semantic_router_lora.building import tokenizer_for
from semantic_router_lora.errors import BaseModelError

if TYPE_CHECKING:
    from semantic_router_lora.engines.bert import BertConfig
    from semantic_router_lora.tokenization import TextTokenizer

# What a tokenizer may be read from.
_TOKENIZER_FILES = (".json", ".txt", ".model")


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
