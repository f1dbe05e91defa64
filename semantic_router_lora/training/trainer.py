"""From a recipe to an adapter folder, on sentence-transformers' trainer and peft."""

from __future__ import annotations

import json
import math
import platform
import shutil
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_router_lora.adapters import layout
from semantic_router_lora.base_models import BaseModel, file_sha256, resolve_base
from semantic_router_lora.data.triplets import Triplet, read_triplets
from semantic_router_lora.errors import DataError, require
from semantic_router_lora.training.recipe import Recipe
from semantic_router_lora.training.verify import PROBES, verify_adapter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer

PACKAGES = ("torch", "transformers", "peft", "sentence-transformers", "semantic-router-lora")


def train(recipe: Recipe, output: Path) -> str:
    """Train an adapter and write its folder.

    Args:
        recipe: what to train, on what.
        output: folder to create; if it exists, it must be empty.

    Returns:
        One sentence on what the folder was proven to hold, see `verify_adapter`.

    Raises:
        DataError: if a file cannot be used, or the output is not empty.
        BaseModelError: if the base cannot be found.
        AdapterMismatchError: if the folder, loaded afresh, is not what was trained.
        MissingExtraError: without the extra ``train``.
    """
    require("sentence_transformers", "train")
    require("datasets", "train")
    require("accelerate", "train")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise DataError(f"{output} exists and is not empty: choose another folder or remove it")
    triplets = [triplet for file in recipe.train for triplet in read_triplets(Path(file))]
    base = resolve_base(recipe.base)
    # Until it is proven, the adapter lies beside the place where it is asked for.
    unproven = output.with_name(output.name + ".unproven")
    shutil.rmtree(unproven, ignore_errors=True)
    unproven.mkdir(parents=True)
    from transformers import set_seed

    set_seed(recipe.seed)  # before the adapter's random initial weights are drawn
    model = _adapted_model(recipe, base)
    started = time.monotonic()
    trainer = _trainer(recipe, model, triplets, unproven)
    trainer.train()
    seconds = time.monotonic() - started
    _interpolate(model, recipe.interpolation)
    shutil.rmtree(unproven / "checkpoints", ignore_errors=True)
    _write_folder(recipe, base, model, unproven)
    _write_json(unproven / layout.TRAINING_HISTORY, trainer.state.log_history)
    _write_json(unproven / layout.TRAINING_INFO, _info(recipe, base, triplets, trainer, seconds))
    proof = verify_adapter(unproven, _probe_vectors(model))
    unproven.rename(output)
    return proof


def _interpolate(model: SentenceTransformer, share: float) -> None:
    """Keep a share of the update, in the running model and in what is going to be written."""
    from peft.tuners.lora import LoraLayer

    encoder: Any = model[0].model
    for module in encoder.modules():
        if isinstance(module, LoraLayer):
            module.scale_layer(share)
    config = encoder.peft_config["default"]
    scaled = config.lora_alpha * share
    config.lora_alpha = int(scaled) if scaled == int(scaled) else scaled


def _probe_vectors(model: SentenceTransformer) -> NDArray[np.float32]:
    model.eval()
    vectors: NDArray[np.float32] = model.encode(list(PROBES), normalize_embeddings=True)
    return vectors


def _adapted_model(recipe: Recipe, base: BaseModel) -> SentenceTransformer:
    from peft import LoraConfig
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(base.folder), device=_device())
    model.max_seq_length = recipe.max_seq_length
    model.add_adapter(
        LoraConfig(
            r=recipe.r,
            lora_alpha=recipe.lora_alpha,
            lora_dropout=recipe.lora_dropout,
            target_modules=list(recipe.target_modules),
            # BERT's pooler is called dense as well, and sentence vectors do not pass it
            exclude_modules=["pooler.dense"],
            task_type="FEATURE_EXTRACTION",
        )
    )
    return model


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _trainer(
    recipe: Recipe, model: SentenceTransformer, triplets: list[Triplet], output: Path
) -> SentenceTransformerTrainer:
    import torch
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.training_args import BatchSamplers

    from semantic_router_lora.training.loss import CacheLoss

    columns = (
        ("anchor", "positive", "negative") if recipe.hard_negatives else ("anchor", "positive")
    )
    dataset = Dataset.from_dict(
        {name: [getattr(t, name) for t in triplets] for name in columns}
        | {"label": _group_numbers(triplets)}
    )
    steps = math.ceil(len(triplets) / recipe.batch_size) * recipe.epochs
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(output / "checkpoints"),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        # a share below 1; the first step of a warm-up has no learning rate, so none in short runs
        warmup_steps=recipe.warmup_ratio if steps * recipe.warmup_ratio >= 1 else 0,
        batch_sampler=BatchSamplers.NO_DUPLICATES,
        bf16=torch.cuda.is_available() and torch.cuda.is_bf16_supported(),
        seed=recipe.seed,
        logging_steps=50,
        save_strategy="no",
        report_to="none",
    )
    return SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=dataset,
        loss=CacheLoss(
            model,
            scale=recipe.scale,
            contrastive_weight=recipe.contrastive_weight,
            negative_margin=recipe.negative_margin,
            distillation_weight=recipe.distillation_weight,
        ),
    )


def _group_numbers(triplets: list[Triplet]) -> list[int]:
    """A number for each group; a triplet without one is a group of its own."""
    numbers: dict[tuple[str, str] | int, int] = {}
    keys = [
        (t.domain or "", t.group) if t.group else position for position, t in enumerate(triplets)
    ]
    return [numbers.setdefault(key, len(numbers)) for key in keys]


def _write_folder(
    recipe: Recipe, base: BaseModel, model: SentenceTransformer, output: Path
) -> None:
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    encoder: Any = model[0].model
    config = encoder.peft_config["default"]
    config.base_model_name_or_path = base.name
    config.inference_mode = True
    config.save_pretrained(str(output))
    # Keys as PeftModel writes them, so that any release of peft reads the file.
    state = get_peft_model_state_dict(encoder, save_embedding_layers=False)
    prefix = "base_model.model."
    save_file(
        {
            key if key.startswith(prefix) else prefix + key: tensor.detach()
            .float()
            .cpu()
            .contiguous()
            for key, tensor in state.items()
        },
        output / layout.WEIGHTS,
        metadata={"format": "pt"},
    )
    for name in (layout.TOKENIZER, layout.TOKENIZER_CONFIG):
        if (base.folder / name).is_file():
            (output / name).write_bytes((base.folder / name).read_bytes())


def _info(
    recipe: Recipe,
    base: BaseModel,
    triplets: list[Triplet],
    trainer: SentenceTransformerTrainer,
    seconds: float,
) -> dict[str, Any]:
    import torch

    return {
        "name": recipe.name,
        "base_model": base.name,
        "base_model_sha256": base.weights_sha256,
        # file names only: where they lay says nothing to others
        "recipe": {
            **recipe.to_dict(),
            "train": [Path(file).name for file in recipe.train],
        },
        "data": {
            "triplets": len(triplets),
            "domains": dict(Counter(t.domain or "unknown" for t in triplets)),
            "sources": dict(Counter(t.source or "unknown" for t in triplets)),
            "sha256": {Path(file).name: file_sha256(Path(file)) for file in recipe.train},
        },
        "trainable_parameters": sum(
            p.numel() for p in trainer.model.parameters() if p.requires_grad
        ),
        "steps": trainer.state.global_step,
        "seconds": round(seconds, 1),
        "hardware": {
            "device": str(trainer.args.device),
            "threads": torch.get_num_threads(),
            "machine": platform.machine(),
        },
        "versions": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
    }


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
