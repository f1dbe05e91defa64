"""Which rows come together in a batch, and in what order."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import torch
from sentence_transformers.base.sampler import DefaultBatchSampler

from semantic_router_lora.data.words import plain


class ExampleSampler(DefaultBatchSampler):
    """Random batches in which no text stands twice, with domains drawn in the shares asked for.

    Every row is put into the first batch that has room and none of its texts; texts that differ in
    what `plain` drops are one text. A row whose texts stand in every batch with room waits for
    another epoch, see `unused`. The number of batches is that of a full
    pass, in every epoch; what is in them follows from seed and number of the epoch alone, so that a
    resumed run sees the same ones.

    sentence-transformers' own sampler without duplicates takes the empty texts that stand for
    missing negatives as duplicates of each other, and draws every row once.

    Args:
        dataset: rows to draw from; only their number counts.
        batch_size: rows in a batch, over all processes.
        drop_last: whether every batch must be full, as several processes need it. The rows of an
            unfinished last batch then wait, and a batch that waiting rows left short is filled up.
        texts: the texts of each row.
        domains: the domain of each row.
        domain_exponent: a domain of n rows is drawn in proportion to n to this power.
        seed: of the order.
        others: what sentence-transformers passes to every sampler.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        drop_last: bool,
        *,
        texts: Sequence[Sequence[str]],
        domains: Sequence[str],
        domain_exponent: float,
        seed: int = 0,
        **others: Any,
    ) -> None:
        super().__init__(dataset, batch_size=batch_size, drop_last=drop_last, seed=seed, **others)
        self.texts = [tuple({plain(text) for text in row}) for row in texts]
        self.quotas = _quotas(Counter(domains), domain_exponent)
        self.rows: dict[str, list[int]] = {domain: [] for domain in self.quotas}
        for row, domain in enumerate(domains):
            self.rows[domain].append(row)

    def __len__(self) -> int:
        rows = sum(self.quotas.values())
        return rows // self.batch_size if self.drop_last else math.ceil(rows / self.batch_size)

    @property
    def unused(self) -> int:
        """How many of the rows that are drawn for the first epoch find no place in its batches."""
        rows = self._drawn(0)
        return (Counter(rows) - Counter(chain.from_iterable(self._filled(rows)))).total()

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._filled(self._drawn(self.epoch)))

    def _filled(self, rows: Sequence[int]) -> list[list[int]]:
        batches = self._packed(rows)
        if self.drop_last:
            for batch in batches:
                batch += [row for row in rows if row not in batch][: self.batch_size - len(batch)]
        return batches

    def _drawn(self, epoch: int) -> list[int]:
        """The epoch's rows in random order; a domain is passed through again when it is used up."""
        generator = torch.Generator().manual_seed(self.seed + epoch)
        drawn = []
        for domain, quota in self.quotas.items():
            rows, left = self.rows[domain], quota
            while left > 0:
                order = torch.randperm(len(rows), generator=generator)[:left].tolist()
                drawn += [rows[place] for place in order]
                left -= len(order)
        order = torch.randperm(len(drawn), generator=generator).tolist()
        return [drawn[place] for place in order]

    def _packed(self, rows: Sequence[int]) -> list[list[int]]:
        count = len(self)
        batches: list[list[int]] = [[] for _ in range(count)]
        texts: list[set[str]] = [set() for _ in range(count)]
        first_open = 0
        for row in rows:
            while first_open < count and len(batches[first_open]) == self.batch_size:
                first_open += 1
            for number in range(first_open, count):
                if len(batches[number]) < self.batch_size and texts[number].isdisjoint(
                    self.texts[row]
                ):
                    batches[number].append(row)
                    texts[number].update(self.texts[row])
                    break
        return batches


def _quotas(sizes: Counter[str], exponent: float) -> dict[str, int]:
    """How many rows of each domain an epoch has; together about as many as there are."""
    if exponent == 1:
        return dict(sizes)
    shares = {domain: size**exponent for domain, size in sizes.items()}
    scale = sizes.total() / sum(shares.values())
    return {domain: max(1, round(share * scale)) for domain, share in shares.items()}
