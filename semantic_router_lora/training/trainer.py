"""sentence-transformers' trainer, set up by a recipe."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from sentence_transformers import (
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.losses import (
    CoSENTLoss,
    OnlineContrastiveLoss,
)
from transformers import ProgressCallback, TrainerState

from semantic_router_lora.errors import DataError
from semantic_router_lora.training.adapter_files import read_weights, write_weights
from semantic_router_lora.training.callbacks import RunCallback, RunProgress
from semantic_router_lora.training.checkpoints import STATE
from semantic_router_lora.training.dev import SCORE, DevEvaluator
from semantic_router_lora.training.examples import Example
from semantic_router_lora.training.loss import CacheLoss
from semantic_router_lora.training.model import device, has_fast_bf16
from semantic_router_lora.training.recipe import Recipe
from semantic_router_lora.training.sampler import ExampleSampler

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class AdapterTrainer(SentenceTransformerTrainer):
    """Keeps the adapter alone in its checkpoints, and exactly."""

    @property
    def run_callback(self) -> RunCallback:
        """The one that knows whether the run was interrupted."""
        return next(c for c in self.callback_handler.callbacks if isinstance(c, RunCallback))

    def train_from(self, checkpoint: Path | None) -> None:
        """Train to the end, from a checkpoint or from the start."""
        if checkpoint is not None:
            state = TrainerState.load_from_json(str(checkpoint / STATE))
            if state.global_step >= state.max_steps:
                # transformers would take a step before it looks whether any is left
                self.state = state
                read_weights(self.model, checkpoint)
                self.get_train_dataloader()  # makes the sampler
                return
        self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)

    def training_step(self, *args: Any, **others: Any) -> Any:
        """A step; a loss that is no number ends the run before it reaches a checkpoint."""
        loss = super().training_step(*args, **others)
        if not loss.isfinite():
            raise DataError(
                f"the loss is {loss.item()} after step {self.state.global_step}: "
                f"lower learning_rate, or contrastive_weight and distillation_weight"
            )
        return loss

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Leave it out: the folder's card is not sentence-transformers'."""

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(str(output_dir or self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        write_weights(self.model, folder)

    def _load_from_checkpoint(  # type: ignore[override]  # as sentence-transformers has it
        self, checkpoint_path: str
    ) -> None:
        read_weights(self.model, Path(checkpoint_path))


def make_trainer(
    recipe: Recipe, model: SentenceTransformer, examples: Sequence[Example], checkpoints: Path
) -> AdapterTrainer:
    """A trainer that is ready to train.

    Raises:
        DataError: if a dev file cannot be used, or several processes would share less than a batch.
    """
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if recipe.batch_size % processes or (processes > 1 and len(examples) < recipe.batch_size):
        raise DataError(
            f"{processes} processes cannot share batches of {recipe.batch_size} of "
            f"{len(examples)} rows: batch_size must be a multiple of the processes, and there must "
            f"be a whole batch"
        )
    dataset, texts, domains = _dataset(recipe, examples)
    strategy = "steps" if recipe.checkpoint_steps else "epoch"
    callback = RunCallback(by_epoch=strategy == "epoch")

    def sampler(dataset: Dataset, **options: Any) -> ExampleSampler:
        made = ExampleSampler(
            dataset,
            texts=texts,
            domains=domains,
            domain_exponent=recipe.domain_exponent,
            **options,
        )
        callback.sampler = made
        return made

    steps = len(texts) / recipe.batch_size * recipe.epochs
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=recipe.epochs,
        # of all processes: each takes its part of it, so that their number changes nothing
        per_device_train_batch_size=recipe.batch_size,
        accelerator_config={"split_batches": True},
        dataloader_drop_last=processes > 1,
        ddp_find_unused_parameters=False,
        # a batch's texts make several forward passes, and processes need not make as many
        ddp_broadcast_buffers=False,
        batch_sampler=sampler,
        learning_rate=recipe.learning_rate,
        # a share below 1; the first step of a warm-up has no learning rate, so none in short runs
        warmup_steps=recipe.warmup_ratio if steps * recipe.warmup_ratio >= 1 else 0,
        use_cpu=device() == "cpu",
        seed=recipe.seed,
        logging_steps=10,
        save_strategy=strategy,
        save_steps=recipe.checkpoint_steps or 500,
        eval_strategy=strategy if recipe.dev else "no",
        eval_steps=recipe.checkpoint_steps or None,
        metric_for_best_model=f"eval_{SCORE}" if recipe.dev else None,
        greater_is_better=True if recipe.dev else None,
        # the best, the last, and the one before it while the last is being written
        save_total_limit=3,
        logging_nan_inf_filter=False,
        report_to="none",
    )
    # one process is one device: what a batch is must not hang on how many GPUs are in sight
    arguments._n_gpu = min(arguments.n_gpu, 1)
    trainer = AdapterTrainer(
        model=model,
        args=arguments,
        train_dataset=dataset,
        loss=_loss(recipe, model),
        evaluator=DevEvaluator(recipe.dev) if recipe.dev else None,
        callbacks=[callback],
    )
    trainer.remove_callback(ProgressCallback)
    trainer.add_callback(RunProgress(callback))
    # of the training texts alone: dev is measured as the adapter is going to be used
    length = model.max_seq_length or recipe.max_seq_length
    trainer.data_collator.max_length = min(recipe.max_seq_length, length)
    return trainer


def _loss(recipe: Recipe, model: SentenceTransformer) -> torch.nn.Module:
    loss: torch.nn.Module
    if recipe.loss == "cosent":
        loss = CoSENTLoss(model, scale=recipe.scale)
    elif recipe.loss == "online_contrastive":
        loss = OnlineContrastiveLoss(model, margin=1 - recipe.negative_margin)  # a distance
    else:
        loss = CacheLoss(
            model,
            scale=recipe.scale,
            contrastive_weight=recipe.contrastive_weight,
            negative_margin=recipe.negative_margin,
            distillation_weight=recipe.distillation_weight,
            guide_margin=recipe.guide_margin,
            bf16=has_fast_bf16(),
        )
    return loss


def _dataset(
    recipe: Recipe, examples: Sequence[Example]
) -> tuple[Dataset, list[tuple[str, ...]], list[str]]:
    """The columns that the loss reads, and of each row its texts and its domain."""
    if recipe.loss == "cache":
        width = max(len(example.negatives) for example in examples)
        columns: dict[str, list[Any]] = {
            "anchor": [example.anchor for example in examples],
            "positive": [example.positive or "" for example in examples],
        }
        for number in range(width):
            columns[f"negative_{number + 1}"] = [
                example.negatives[number] if number < len(example.negatives) else ""
                for example in examples
            ]
        columns["label"] = [
            [example.group, int(example.positive is not None), len(example.negatives)]
            for example in examples
        ]
        texts, domains = [e.texts for e in examples], [e.domain for e in examples]
        return Dataset.from_dict(columns), texts, domains
    pairs = [
        (example.anchor, other, label, example.domain)
        for example in examples
        for other, label in (
            *(((example.positive, 1.0),) if example.positive else ()),
            *((negative, 0.0) for negative in example.negatives),
        )
    ]
    first, second, label, domain = zip(*pairs, strict=True)
    columns = {"first": list(first), "second": list(second), "label": list(label)}
    # these losses compare pairs, not texts: an anchor may stand in two of them
    return Dataset.from_dict(columns), [(f"{n}",) for n in range(len(pairs))], list(domain)
