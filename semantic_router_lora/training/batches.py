"""Vectors of the texts of a batch, without the padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# Texts of one forward pass. Sorted by length, small chunks hold next to no padding, and on a CPU
# padding is most of the cost of a batch of texts from 3 to 60 words.
_CHUNK = 48


def embed(
    model: SentenceTransformer,
    columns: Sequence[dict[str, Tensor]],
    present: Tensor,
    *,
    bf16: bool = False,
) -> Tensor:
    """Unit vectors of a batch, embedded in chunks of like length.

    Args:
        model: the model, or what torch's DistributedDataParallel made of it.
        columns: tokens of each column.
        present: bool (columns, rows), which texts there are; the others cost nothing.
        bf16: whether products of matrices are computed in bfloat16.

    Returns:
        float32 (columns, rows, dim), zeros where there is no text.
    """
    rows = [
        ids[mask.bool()]
        for column in columns
        for ids, mask in zip(column["input_ids"], column["attention_mask"], strict=True)
    ]
    places = present.flatten().nonzero().flatten().tolist()
    order = sorted(places, key=lambda place: -len(rows[place]))
    pad_id = int(unwrapped(model).tokenizer.pad_token_id or 0)
    found = []
    # here and not in the trainer, which would leave it on where the adapter is measured and proven
    with torch.autocast(present.device.type, torch.bfloat16, enabled=bf16):
        for start in range(0, len(order), _CHUNK):
            texts = [rows[place] for place in order[start : start + _CHUNK]]
            found.append(model(_padded(texts, pad_id))["sentence_embedding"].float())
    unit = nn.functional.normalize(torch.cat(found), dim=1)
    target = torch.tensor(order, device=unit.device)
    vectors = unit.new_zeros(present.numel(), unit.shape[1]).index_copy(0, target, unit)
    return vectors.view(*present.shape, -1)


def _padded(texts: Sequence[Tensor], pad_id: int) -> dict[str, Tensor]:
    ids = nn.utils.rnn.pad_sequence(list(texts), batch_first=True, padding_value=pad_id)
    lengths = torch.tensor([len(text) for text in texts], device=ids.device)
    mask = (torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]).long()
    return {"input_ids": ids, "attention_mask": mask}


def base_of(
    model: SentenceTransformer,
    columns: Sequence[dict[str, Tensor]],
    present: Tensor,
    *,
    bf16: bool = False,
) -> Tensor:
    """The same of the base as it is used: without adapter and dropout, and without gradient."""
    plain = unwrapped(model)
    adapted: Any = plain[0].model
    training = plain.training
    adapted.disable_adapters()
    plain.eval()
    try:
        with torch.no_grad():
            return embed(plain, columns, present, bf16=bf16)
    finally:
        plain.train(training)
        adapted.enable_adapters()


def unwrapped(model: Any) -> SentenceTransformer:
    """The model itself, where it is wrapped for several processes."""
    inner: SentenceTransformer = getattr(model, "module", model)
    return inner
