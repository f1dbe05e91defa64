"""One model that is trained again and again: once for each fold, and once on everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.adapters.read import Adapter
from semantic_router_lora.base_models import BaseModel
from semantic_router_lora.errors import InputError
from semantic_router_lora.fitting.rows import Material, training_rows
from semantic_router_lora.training.recipe import Recipe
from semantic_router_lora.training.run import Interrupted

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from semantic_router_lora.training.trainer import AdapterTrainer


def fit_recipe(name: str, base: str, start: Adapter | None, seed: int) -> Recipe:
    """The recipe of an adapter for routes.

    The loss ranks texts of the row's own route above those of others. Started from an adapter, the
    new one has its rank and its layers.

    Raises:
        InputError: if the adapter to start from is of a kind that cannot be trained on.
    """
    recipe = Recipe(
        name=name,
        train=(),
        base=base,
        r=8,
        lora_alpha=16,
        lora_dropout=0.0,
        base_dropout=0.1,
        target_modules="all-linear",
        scale=20.0,
        learning_rate=2e-3,
        seed=seed,
    )
    if start is None:
        return recipe
    config = start.config
    targets = config.get("target_modules")
    special = sorted(
        key
        for key in config
        if key not in ("r", "lora_alpha", "target_modules", "exclude_modules")
        and config[key] not in (False, "none")
    )
    if special or not isinstance(targets, (list, str)):
        raise InputError(
            f"adapter {start.name} cannot be trained on: its configuration sets "
            f"{', '.join(special) or 'target_modules'}; start from the base, or from plain LoRA"
        )
    return replace(
        recipe,
        r=config.get("r", 8),
        lora_alpha=config.get("lora_alpha", 8),
        target_modules=tuple(targets) if isinstance(targets, list) else targets,
    )


class RouteTrainer:
    """A base with an adapter that is put back to its start before each training.

    Args:
        recipe: of `fit_recipe`.
        base: what is adapted.
        start: whose weights the adapter starts from; None for a new one.

    Raises:
        AdapterMismatchError: if that was trained on another base.
        InputError: if its weights do not fit the base.
    """

    def __init__(self, recipe: Recipe, base: BaseModel, start: Adapter | None) -> None:
        from semantic_router_lora.building import check_base
        from semantic_router_lora.training.adapter_files import read_weights
        from semantic_router_lora.training.model import adapted_model, device

        self.recipe, self.base, self.start = recipe, base, start
        self.model: SentenceTransformer = adapted_model(recipe, base, device())
        if start is not None:
            check_base(base, start)
            try:
                read_weights(self.model, start.folder)
            except (RuntimeError, ValueError) as error:
                raise InputError(
                    f"adapter {start.name} cannot be trained on with {base.name}: {error}"
                ) from error
        self._start = {
            name: parameter.detach().clone()
            for name, parameter in self.model.named_parameters()
            if parameter.requires_grad
        }

    def train(self, found: Material, seed: int, folder: Path) -> AdapterTrainer:
        """Train from the start on some material.

        Args:
            found: what to learn.
            seed: of rows and batches.
            folder: for the trainer's own files.

        Raises:
            Interrupted: after Ctrl-C.
        """
        from semantic_router_lora.training.trainer import make_trainer

        self.reset()
        rows, batch = training_rows(found, seed)
        recipe = replace(self.recipe, batch_size=batch, seed=seed)
        trainer = make_trainer(recipe, self.model, rows, folder)
        trainer.args.save_strategy = "no"
        try:
            trainer.train()
        finally:
            trainer.run_callback.release()
        if trainer.run_callback.interrupted:
            raise Interrupted(f"step {trainer.state.global_step} of {trainer.state.max_steps}")
        return trainer

    def reset(self) -> None:
        """Put the adapter back to its start."""
        import torch

        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                if name in self._start:
                    parameter.copy_(self._start[name])

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of the model as it is now, float32 (len(texts), dim)."""
        self.model.eval()
        vectors: Any = self.model.encode(
            list(texts), normalize_embeddings=True, show_progress_bar=False, batch_size=64
        )
        return np.asarray(vectors, np.float32).reshape(len(texts), -1)
