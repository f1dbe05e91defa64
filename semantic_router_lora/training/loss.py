"""The loss of the bundled adapters: ranking and, where asked for, absolute distances."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# Texts of one forward pass. Sorted by length, small chunks hold next to no padding, and on a CPU
# padding is most of the cost of a batch of texts from 3 to 60 words.
_CHUNK = 48


class CacheLoss(nn.Module):
    """Ranks paraphrases above near misses, and places both where one threshold can part them.

    For a batch of triplets (a, p, n), with s = ``scale``, w = ``contrastive_weight`` and
    d = ``distillation_weight``::

        ranking      = mean of −log( exp(s·cos(a, p)) / Σ exp(s·cos(a, ·)) ) over all p', n'
        contrastive  = mean of (1 − cos(a, p))² + max(0, cos(a, n) − negative_margin)²
        distillation = mean over a ≠ a' of (cos(a, a') − base's)² + (cos(a, p') − base's)²
        loss         = ranking + w · contrastive + d · distillation

    The ranking term is the multiple-negatives loss (Henderson et al. 2017, arXiv 1705.00652) with
    the triplet's own negative among the negatives; it is content once the order is right. A cache
    needs one threshold for all anchors, which is what the contrastive term (Hadsell et al. 2006)
    is for. The distillation term keeps texts of different questions as far apart as the base has
    them, so that what the triplets do not teach stays as it was. Texts of the anchor's own group
    are no negatives of it.

    Args:
        model: what is trained.
        scale: 1 / temperature of the ranking term.
        contrastive_weight: w; 0 leaves the contrastive term out.
        negative_margin: cosine below which a near miss is far enough.
        distillation_weight: d; 0 leaves the distillation term out.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        *,
        scale: float,
        contrastive_weight: float,
        negative_margin: float,
        distillation_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.model = model
        self.scale = scale
        self.contrastive_weight = contrastive_weight
        self.negative_margin = negative_margin
        self.distillation_weight = distillation_weight
        self.pad_id = int(model.tokenizer.pad_token_id or 0)

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor) -> Tensor:
        """The loss of one batch.

        Args:
            sentence_features: tokens of anchors, positives and, if they are used, negatives.
            labels: int (batch,), the group of each triplet.
        """
        columns = list(sentence_features)
        size = len(labels)
        vectors = self._embed(columns)
        anchors, positives = vectors[:size], vectors[size : 2 * size]
        candidates = vectors[size:]  # positives, then negatives
        cosines = anchors @ candidates.T
        own_group = (labels[:, None] == labels[None, :]).fill_diagonal_(False)
        masked = cosines.masked_fill(own_group.repeat(1, len(columns) - 1), float("-inf"))
        target = torch.arange(size, device=labels.device)
        loss = nn.functional.cross_entropy(masked * self.scale, target)
        if self.contrastive_weight:
            apart = (1 - (anchors * positives).sum(dim=1)) ** 2
            if len(columns) > 2:
                close = (anchors * vectors[2 * size :]).sum(dim=1) - self.negative_margin
                apart = apart + torch.relu(close) ** 2
            loss = loss + self.contrastive_weight * apart.mean()
        if self.distillation_weight:
            loss = loss + self.distillation_weight * self._drift(columns, vectors[: 2 * size])
        return loss

    def _drift(self, columns: list[dict[str, Tensor]], vectors: Tensor) -> Tensor:
        """Mean squared change of the cosines between different triplets."""
        adapted: Any = self.model[0].model
        training = self.model.training
        adapted.disable_adapters()
        self.model.eval()  # the base as it is used: without dropout
        with torch.no_grad():
            base = self._embed(columns[:2])
        self.model.train(training)
        adapted.enable_adapters()
        size = len(vectors) // 2
        others = ~torch.eye(size, dtype=torch.bool, device=vectors.device)
        change = vectors[:size] @ vectors.T - base[:size] @ base.T
        return (change**2)[others.repeat(1, 2)].mean() * 2

    def _embed(self, columns: list[dict[str, Tensor]]) -> Tensor:
        """Unit vectors of all columns' texts, embedded in chunks of like length."""
        rows = [
            (ids[mask.bool()], column)
            for column in columns
            for ids, mask in zip(column["input_ids"], column["attention_mask"], strict=True)
        ]
        order = sorted(range(len(rows)), key=lambda row: -len(rows[row][0]))
        found = []
        for start in range(0, len(order), _CHUNK):
            texts = [rows[row][0] for row in order[start : start + _CHUNK]]
            ids = nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_value=self.pad_id)
            lengths = torch.tensor([len(text) for text in texts], device=ids.device)
            mask = (torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]).long()
            features = {"input_ids": ids, "attention_mask": mask}
            found.append(self.model(features)["sentence_embedding"])
        places = torch.empty(len(order), dtype=torch.long)
        places[torch.tensor(order)] = torch.arange(len(order))
        return nn.functional.normalize(torch.cat(found)[places.to(found[0].device)], dim=1)

    def get_config_dict(self) -> dict[str, Any]:
        """The settings, for sentence-transformers' model card."""
        return {
            "scale": self.scale,
            "contrastive_weight": self.contrastive_weight,
            "negative_margin": self.negative_margin,
            "distillation_weight": self.distillation_weight,
        }
