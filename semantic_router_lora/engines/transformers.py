"""The engine for any architecture that transformers' AutoModel knows."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, PreTrainedModel
from transformers.utils import logging

from semantic_router_lora.base_models import BaseModel
from semantic_router_lora.engines.pooling import pool
from semantic_router_lora.errors import BaseModelError

# transformers' logging and warnings filters are global: one model is loaded at a time.
LOADING = threading.Lock()
_LAYER = re.compile(r"(^|\.)(layers?|h|blocks?)\.\d+\.")


class TransformersEngine:
    """Runs an encoder of transformers on padded batches."""

    embed_alone = None  # rounding depends on the number of threads

    def __init__(
        self, model: PreTrainedModel, *, pooling: str, pad_id: int, device: torch.device
    ) -> None:
        self._model = cast(torch.nn.Module, model).to(device).eval()
        self._pooling = pooling
        self._pad_id = pad_id
        self._device = device
        self.dim = int(model.config.hidden_size)

    def embed(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Embed one batch of token ids.

        Returns:
            float32 (len(batch), dim), L2-normalised rows.
        """
        width = max(len(ids) for ids in batch)
        ids = torch.full((len(batch), width), self._pad_id, dtype=torch.long)
        mask = torch.zeros((len(batch), width), dtype=torch.long)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = torch.as_tensor(tokens, dtype=torch.long)
            mask[row, : len(tokens)] = 1
        # Entered here, not once at start: the mode is kept per thread, and routers call from
        # worker threads of their own.
        with torch.inference_mode():
            mask = mask.to(self._device)
            hidden = self._model(input_ids=ids.to(self._device), attention_mask=mask)[0]
            vectors: NDArray[np.float32] = pool(hidden, mask, self._pooling).cpu().numpy()
        return vectors


def load_model(base: BaseModel) -> PreTrainedModel:
    """Read a base model's weights, in float32 on the CPU.

    Raises:
        BaseModelError: if the files cannot be read, or do not hold every weight: transformers
            would fill those with random numbers.
    """
    try:
        with quiet():
            model, info = AutoModel.from_pretrained(
                base.folder,
                dtype=torch.float32,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except Exception as error:  # whatever a foreign config or weights file provokes
        raise BaseModelError(f"base model {base.name} cannot be read: {error}") from error
    # The pooler is a layer of BERT's that sentence vectors do not use, and many bases lack it.
    missing = sorted(key for key in info["missing_keys"] if "pooler" not in key)
    # Weights of a layer that the config does not have; heads of other tasks are no concern.
    surplus = sorted(key for key in info["unexpected_keys"] if _LAYER.search(key))
    if missing or surplus or info["mismatched_keys"]:
        raise BaseModelError(
            f"base model {base.name}: its weights do not match its config.json: "
            f"missing {missing[:3]}, without a place {surplus[:3]}, "
            f"of another shape {list(info['mismatched_keys'])[:3]}"
        )
    return cast(PreTrainedModel, model)


def position_count(model: PreTrainedModel) -> int:
    """How many tokens of a text the model has positions for.

    RoBERTa and its kin count positions from behind the padding's number.
    """
    count = getattr(model.config, "max_position_embeddings", None) or 512
    positions = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    padding = getattr(positions, "padding_idx", None)
    return int(count if padding is None else count - padding - 1)


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' load report and bar: what it reports, `load_model` checks itself."""
    verbosity = logging.get_verbosity()
    bar = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()


def _after_fork() -> None:
    """A forked process must not wait for a thread of its parent."""
    global LOADING
    LOADING = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
