"""From a recipe to an adapter folder that is proven to hold what was trained."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_router_lora.adapters import layout
from semantic_router_lora.base_models import BaseModel, resolve_base
from semantic_router_lora.errors import require
from semantic_router_lora.training.recipe import Recipe

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from semantic_router_lora.training.checkpoints import UnfinishedRun
    from semantic_router_lora.training.examples import Example
    from semantic_router_lora.training.trainer import AdapterTrainer

PACKAGES = ("torch", "transformers", "peft", "sentence-transformers", "semantic-router-lora")
EXTRA = ("sentence_transformers", "datasets", "accelerate", "matplotlib")


class Interrupted(Exception):  # noqa: N818  (no error: it was asked for)
    """The run was stopped between two steps, and its last checkpoint is written."""


def find_base(recipe: Recipe, folder: Path | None) -> BaseModel:
    """The recipe's base, or what a folder holds in its place, under the recipe's name.

    Raises:
        BaseModelError: if it cannot be found.
    """
    if folder is None:
        return resolve_base(recipe.base)
    return replace(resolve_base(str(folder)), name=recipe.base)


def train(
    recipe: Recipe, output: Path, *, base_folder: Path | None = None, resume: bool = False
) -> str:
    """Train an adapter and write its folder.

    Until it is proven, all of the run lies in ``<output>.unproven``. Of several processes, as
    torchrun starts them, the first one writes.

    Args:
        recipe: what to train, on what.
        output: folder to create; if it exists, it must be empty.
        base_folder: where the base lies, if not where its name leads.
        resume: go on with an unfinished run of the same recipe, if there is one.

    Returns:
        One sentence on what the folder was proven to hold, see `verify_adapter`; empty in every
        process but the first.

    Raises:
        DataError: if a file cannot be used, the output is not empty, or an unfinished run stands
            in the way.
        BaseModelError: if the base cannot be found, or an adapter for it could not be proven.
        AdapterMismatchError: if the folder, loaded afresh, is not what was trained.
        Interrupted: after Ctrl-C.
        MissingExtraError: without the extra ``train``.
    """
    for module in EXTRA:
        require(module, "train")
    from semantic_router_lora.training.checkpoints import UnfinishedRun, seconds_of
    from semantic_router_lora.training.data_files import file_digests
    from semantic_router_lora.training.examples import read_examples
    from semantic_router_lora.training.model import (
        adapted_model,
        device,
        has_fast_bf16,
        interpolate,
        round_weights,
    )
    from semantic_router_lora.training.processes import first_does, is_first
    from semantic_router_lora.training.trainer import make_trainer

    examples = read_examples(recipe)
    data = file_digests(recipe)
    base = find_base(recipe, base_folder)
    # what decides the result: a run that differs in any of it is not continued
    unfinished = UnfinishedRun(
        output.absolute(),
        {
            "recipe": recipe.to_dict(),
            "data": data,
            "base": base.weights_sha256,
            "number of processes": int(os.environ.get("WORLD_SIZE", "1")),
            "precision": "bf16" if has_fast_bf16() else "fp32",
        },
    )
    model = adapted_model(recipe, base, device())
    trainer = make_trainer(recipe, model, examples, unfinished.checkpoints)
    checkpoint = first_does(lambda: unfinished.start(resume=resume))
    if checkpoint is not None:
        trainer.run_callback.seconds_before = seconds_of(checkpoint)
    try:
        trainer.train_from(checkpoint)
    finally:
        trainer.run_callback.release()
    seconds = trainer.run_callback.seconds
    if trainer.run_callback.interrupted:
        raise Interrupted(f"step {trainer.state.global_step} of {trainer.state.max_steps}")
    if not is_first():
        return ""
    best_step = _keep_best(recipe, trainer, model, unfinished)
    interpolate(model, recipe.interpolation)
    round_weights(model, recipe.weights_dtype)
    info = training_info(recipe, base, examples, data, trainer, seconds) | {"best_step": best_step}
    proof = write_adapter(base, model, trainer, unfinished.folder, info, recipe.weights_dtype)
    unfinished.finish()
    return proof


def _keep_best(
    recipe: Recipe, trainer: AdapterTrainer, model: SentenceTransformer, unfinished: UnfinishedRun
) -> int:
    """Put the weights that were best on dev into the model; without dev, the last ones stay."""
    from semantic_router_lora.training.adapter_files import read_weights

    step = trainer.state.best_global_step if recipe.dev else None
    if step is None:
        return int(trainer.state.global_step)
    read_weights(model, unfinished.checkpoint(step))
    return int(step)


def write_adapter(
    base: BaseModel,
    model: SentenceTransformer,
    trainer: AdapterTrainer,
    folder: Path,
    info: dict[str, Any],
    dtype: str = "float32",
) -> str:
    """Write the adapter that a model holds, and prove it; see `verify_adapter`.

    Args:
        base: what was adapted.
        model: what was trained.
        trainer: that trained it; it knows the history.
        folder: exists.
        info: of `training_info`, with ``best_step``.
        dtype: of the weights in the file, which must hold the model's without rounding.
    """
    from semantic_router_lora.training.adapter_files import write_folder, write_json
    from semantic_router_lora.training.callbacks import draw
    from semantic_router_lora.training.verify import PROBES, verify_adapter

    history = trainer.state.log_history
    write_folder(base, model, folder, dtype)
    write_json(folder / layout.TRAINING_HISTORY, history)
    write_json(folder / layout.TRAINING_INFO, info)
    draw(history, folder, info["best_step"])
    model.eval()
    trained = model.encode(list(PROBES), normalize_embeddings=True, show_progress_bar=False)
    return verify_adapter(folder, trained, base.folder)


def training_info(
    recipe: Recipe,
    base: BaseModel,
    examples: Sequence[Example],
    data: dict[str, str],
    trainer: AdapterTrainer,
    seconds: float,
) -> dict[str, Any]:
    """What training_info.json holds: recipe, data, size, time, hardware, versions."""
    import torch

    from semantic_router_lora.training.model import has_fast_bf16, trainable_parameters

    # a row that comes several times an epoch is one object
    rows = list({id(example): example for example in examples}.values())
    return {
        "name": recipe.name,
        "base_model": base.name,
        "base_model_sha256": base.weights_sha256,
        "recipe": recipe.to_dict(),
        "data": {
            "rows": len(rows),
            "domains": dict(Counter(row.domain or "unknown" for row in rows)),
            "sources": dict(Counter(row.source or "unknown" for row in rows)),
            "unused_rows_per_epoch": trainer.run_callback.sampler.unused,
            "sha256": data,
        },
        "trainable_parameters": trainable_parameters(trainer.model),
        "steps": trainer.state.global_step,
        "seconds": round(seconds, 1),
        "hardware": {
            "device": str(trainer.args.device),
            "processes": trainer.args.world_size,
            "threads": torch.get_num_threads(),
            "bf16": has_fast_bf16(),
            "machine": platform.machine(),
        },
        "versions": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
    }
