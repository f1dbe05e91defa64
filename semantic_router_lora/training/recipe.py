"""Everything that decides a training run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from semantic_router_lora.base_models import DEFAULT_BASE


@dataclass(frozen=True)
class TrainFile:
    """A file of training rows.

    Attributes:
        file: its path.
        limit: rows drawn from it, at random with the recipe's seed; None takes all.
        repeat: how often each row comes in an epoch.
    """

    file: str
    limit: int | None = None
    repeat: int = 1


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run, but for the machine.

    Attributes:
        name: the adapter's name.
        train: files of triplets or pairs; relative paths start at the recipe's folder.
        dev: triplet files that choose the best checkpoint; without any, the last one is kept.
        base: base model, folder or Hub id.
        r: rank of the update.
        lora_alpha: the update is scaled by ``lora_alpha / r``.
        lora_dropout: dropout on the adapter's input while training.
        base_dropout: dropout in the base while training; null keeps the base's own. On a CPU it
            is a quarter of the time of a step.
        target_modules: ``query+value``, ``all-linear``, or names of the linear layers of the base
            that get an adapter.
        loss: ``cache`` (`CacheLoss`), or sentence-transformers' ``cosent`` or
            ``online_contrastive`` on pairs.
        hard_negatives: whether the rows' own negatives are used; if not, they are left out.
        skip_traps: traps whose near misses are left out; the paraphrases of those rows stay.
        scale: 1 / temperature of the loss.
        contrastive_weight: of the contrastive term of the loss, see `CacheLoss`; 0 leaves it out.
        negative_margin: cosine below which a near miss is far enough for that term, and for
            ``online_contrastive``.
        distillation_weight: of the term that keeps unrelated texts where the base has them.
        guide_margin: texts of other rows that the base puts closer to the anchor than its own
            positive, less this, are no negatives of it; null masks none.
        batch_size: rows a step, over all processes.
        domain_exponent: a domain of n rows is drawn in proportion to n to this power; 1 takes
            every row once, 0 draws as many of each domain; at most 10.
        learning_rate: highest learning rate.
        warmup_ratio: share of the steps over which it rises; afterwards it falls linearly.
        epochs: passes over the data.
        checkpoint_steps: steps between two checkpoints and measurements on dev; 0 for one an epoch.
        max_seq_length: tokens kept of a text while training.
        interpolation: share of the trained update that is kept, between the base (0) and the
            trained model (1), from 0.01, as in WiSE-FT (Wortsman et al. 2021, arXiv 2109.01903):
            less of it keeps more of what the base can do. It is written into ``lora_alpha``.
        weights_dtype: ``float32``, or ``float16`` for a file of half the size: the update is
            rounded to it before the folder is proven.
        seed: of shuffling, dropout and initial weights.
    """

    name: str
    train: tuple[TrainFile, ...]
    dev: tuple[str, ...] = ()
    base: str = DEFAULT_BASE
    r: int = 8
    lora_alpha: int = 16
    lora_dropout: float = 0.1
    base_dropout: float | None = None
    target_modules: str | tuple[str, ...] = "query+value"
    loss: str = "cache"
    hard_negatives: bool = True
    skip_traps: tuple[str, ...] = ()
    scale: float = 20.0
    contrastive_weight: float = 0.0
    negative_margin: float = 0.5
    distillation_weight: float = 0.0
    guide_margin: float | None = None
    batch_size: int = 32
    domain_exponent: float = 1.0
    learning_rate: float = 1e-4
    warmup_ratio: float = 0.1
    epochs: float = 1.0
    checkpoint_steps: int = 0
    max_seq_length: int = 64
    interpolation: float = 1.0
    weights_dtype: str = "float32"
    seed: int = 42

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain JSON values; of its files the names only, wherever they lie."""
        named = asdict(self)
        for item in named["train"]:
            item["file"] = Path(item["file"]).name
        named["dev"] = [Path(file).name for file in self.dev]
        return {key: list(v) if isinstance(v, tuple) else v for key, v in named.items()}
