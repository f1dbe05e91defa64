"""The loss of the bundled adapters: ranking and, where asked for, absolute distances."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from semantic_router_lora.training.batches import base_of, embed
from semantic_router_lora.training.processes import gather, gather_with_gradient, is_distributed

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class CacheLoss(nn.Module):
    """Ranks paraphrases above near misses, and places both where one threshold can part them.

    For a batch of rows, each an anchor a with at most one positive p and any number of negatives
    n, with s = ``scale``, w = ``contrastive_weight`` and d = ``distillation_weight``::

        ranking      = mean over a with a p of −log( exp(s·cos(a, p)) / Σ exp(s·cos(a, ·)) ),
                       the sum over all rows' p' and n'
        contrastive  = mean over rows of (1 − cos(a, p))² + mean over n of max(0, cos(a, n) − m)²
        distillation = mean over a ≠ a' of (cos(a, a') − base's)² + (cos(a, p') − base's)²
        loss         = ranking + w · contrastive + d · distillation

    The ranking term is the multiple-negatives loss (Henderson et al. 2017, arXiv 1705.00652) with
    the rows' own negatives among the negatives; it is content once the order is right. A cache
    needs one threshold for all anchors, which is what the contrastive term (Hadsell et al. 2006)
    is for. The distillation term keeps texts of different questions as far apart as the base has
    them, so that what the rows do not teach stays as it was.

    Texts of other rows of the anchor's own group are no negatives of it; nor are those that the
    base, as a guide, puts closer to the anchor than its positive, less ``guide_margin`` (GISTEmbed,
    Solatorio 2024, arXiv 2402.16829).

    Run by several processes, each has its own rows of one batch, and the other processes' texts
    are among its negatives; the mean of the losses, and its gradient, are those of one process.

    Args:
        model: what is trained.
        scale: 1 / temperature of the ranking term.
        contrastive_weight: w; 0 leaves the contrastive term out.
        negative_margin: m, the cosine below which a near miss is far enough.
        distillation_weight: d; 0 leaves the distillation term out.
        guide_margin: see above; None masks nothing.
        bf16: whether texts are embedded with products of matrices in bfloat16.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        *,
        scale: float,
        contrastive_weight: float = 0.0,
        negative_margin: float = 0.5,
        distillation_weight: float = 0.0,
        guide_margin: float | None = None,
        bf16: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.scale = scale
        self.contrastive_weight = contrastive_weight
        self.negative_margin = negative_margin
        self.distillation_weight = distillation_weight
        self.guide_margin = guide_margin
        self.bf16 = bf16

    def forward(
        self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor
    ) -> dict[str, Tensor]:
        """The terms of the loss of one batch, weighted; their sum is the loss.

        Args:
            sentence_features: tokens of anchors, positives and, if there are any, one column or
                more of negatives.
            labels: int (batch, 3): group of each row, whether it has a positive, and how many of
                the negatives it has; the texts of the others are not looked at.
        """
        columns = list(sentence_features)
        groups, has_positive, negatives = labels.unbind(dim=1)
        present = torch.stack(
            [torch.ones_like(groups), has_positive]
            + [negatives > number for number in range(len(columns) - 2)]
        ).bool()
        batch = _Batch(embed(self.model, columns, present, bf16=self.bf16), present, groups)
        terms = {"ranking": self._ranking(batch, columns)}
        if self.contrastive_weight:
            terms["contrastive"] = self.contrastive_weight * self._contrastive(batch)
        if self.distillation_weight:
            terms["distillation"] = self.distillation_weight * self._distillation(batch, columns)
        return terms

    def _ranking(self, batch: _Batch, columns: list[dict[str, Tensor]]) -> Tensor:
        cosines = batch.cosines(0, batch.every[1:])
        allowed = batch.every_present[1:].flatten() & ~batch.same_group(len(columns) - 1)
        if self.guide_margin is not None:
            with torch.no_grad():
                base = batch.like(base_of(self.model, columns, batch.present, bf16=self.bf16))
                theirs = base.cosines(0, base.every[1:])
                allowed &= theirs <= base.own[:, None] - self.guide_margin
        # its own positive and negatives are what a row is there for
        allowed |= batch.own_row(len(columns) - 1) & batch.every_present[1:].flatten()
        logits = (cosines * self.scale).masked_fill(~allowed, float("-inf"))
        ranked = batch.present[1]
        target = torch.arange(len(ranked), device=ranked.device) + batch.start
        total = nn.functional.cross_entropy(logits[ranked], target[ranked], reduction="sum")
        return total / batch.share(batch.every_present[1].sum())

    def _contrastive(self, batch: _Batch) -> Tensor:
        apart = ((1 - batch.own) ** 2 * batch.present[1]).sum()
        if len(batch.present) > 2:
            near = (batch.vectors[0] * batch.vectors[2:]).sum(dim=2) - self.negative_margin
            counts = batch.present[2:].sum(dim=0).clamp(min=1)
            apart = apart + (torch.relu(near) ** 2 * batch.present[2:] / counts).sum()
        return apart / batch.share(batch.every_present[0].sum())

    def _distillation(self, batch: _Batch, columns: list[dict[str, Tensor]]) -> Tensor:
        with torch.no_grad():
            vectors = base_of(self.model, columns[:2], batch.present[:2], bf16=self.bf16)
            base = batch.like(vectors)
        change = batch.cosines(0, batch.every[:2]) - base.cosines(0, base.every[:2])
        others = batch.every_present[:2].flatten() & ~batch.own_row(2)
        size = batch.every_present.shape[1]
        pairs = batch.every_present[:2].sum() * size - size - batch.every_present[1].sum()
        return 2 * (change**2 * others).sum() / batch.share(pairs.clamp(min=1))

    def get_config_dict(self) -> dict[str, Any]:
        """The settings, for sentence-transformers' model card."""
        return {
            "scale": self.scale,
            "contrastive_weight": self.contrastive_weight,
            "negative_margin": self.negative_margin,
            "distillation_weight": self.distillation_weight,
            "guide_margin": self.guide_margin,
        }


class _Batch:
    """This process's rows, and beside them those of all processes.

    Attributes:
        vectors: float (columns, rows, dim), zeros where a text is missing.
        present: bool (columns, rows).
        every: float (columns, all rows, dim).
        every_present: bool (columns, all rows).
        own: float (rows,), cosine of each anchor and its positive.
        start: place of this process's first row among all rows.
    """

    def __init__(self, vectors: Tensor, present: Tensor, groups: Tensor) -> None:
        self.vectors, self.present, self.groups = vectors, present, groups
        self.every, self.every_present, self.every_group = vectors, present, groups
        self.start, self.processes = 0, 1
        if is_distributed():
            self.start = torch.distributed.get_rank() * len(groups)
            # processes come one after the other in the first dimension
            self.every = gather_with_gradient(vectors.transpose(0, 1)).transpose(0, 1)
            self.every_present = gather(present.T.int()).T.bool()
            self.every_group = gather(groups)
            self.processes = len(self.every_group) // len(groups)
        self.own = (vectors[0] * vectors[1]).sum(dim=1)

    def like(self, vectors: Tensor) -> _Batch:
        """The same rows with other vectors."""
        return _Batch(vectors, self.present[: len(vectors)], self.groups)

    def cosines(self, column: int, others: Tensor) -> Tensor:
        """Cosines of a column's texts with others (columns, all rows, dim): (rows, others)."""
        return self.vectors[column] @ others.flatten(0, 1).T

    def own_row(self, columns: int) -> Tensor:
        """Which of the texts of so many columns are of the row itself: bool (rows, texts)."""
        rows = torch.arange(len(self.every_group), device=self.groups.device)
        mine = rows[self.start : self.start + len(self.groups)]
        return (mine[:, None] == rows[None, :]).repeat(1, columns)

    def same_group(self, columns: int) -> Tensor:
        """Which of them are of rows of the same group: bool (rows, texts)."""
        return (self.groups[:, None] == self.every_group[None, :]).repeat(1, columns)

    def share(self, count: Tensor) -> Tensor:
        """What to divide by, so that the mean over processes is the mean over all."""
        return count.clamp(min=1) / self.processes
