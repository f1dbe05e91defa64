"""A training run as a short YAML file."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.errors import DataError


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run, but for the machine.

    Attributes:
        name: the adapter's name.
        train: triplet files; relative paths start at the recipe's folder.
        base: base model, folder or Hub id.
        r: rank of the update.
        lora_alpha: the update is scaled by ``lora_alpha / r``.
        lora_dropout: dropout on the adapter's input while training.
        target_modules: names of the linear layers that get an adapter.
        hard_negatives: whether the triplet's own negative joins the in-batch negatives.
        scale: 1 / temperature of the loss.
        contrastive_weight: of the contrastive term of the loss, see `CacheLoss`; 0 leaves it out.
        negative_margin: cosine below which a near miss is far enough for that term.
        distillation_weight: of the term that keeps unrelated texts where the base has them.
        batch_size: triplets a step.
        learning_rate: highest learning rate.
        warmup_ratio: share of the steps over which it rises; afterwards it falls linearly.
        epochs: passes over the data.
        max_seq_length: tokens kept of a text while training.
        interpolation: share of the trained update that is kept, between the base (0) and the
            trained model (1), as in WiSE-FT (Wortsman et al. 2021, arXiv 2109.01903): less of it
            keeps more of what the base can do. It is written into ``lora_alpha``.
        seed: of shuffling, dropout and initial weights.
    """

    name: str
    train: tuple[str, ...]
    base: str = DEFAULT_BASE
    r: int = 8
    lora_alpha: int = 16
    lora_dropout: float = 0.1
    target_modules: tuple[str, ...] = ("query", "value")
    hard_negatives: bool = True
    scale: float = 20.0
    contrastive_weight: float = 0.0
    negative_margin: float = 0.5
    distillation_weight: float = 0.0
    batch_size: int = 32
    learning_rate: float = 1e-4
    warmup_ratio: float = 0.1
    epochs: float = 1.0
    max_seq_length: int = 64
    interpolation: float = 1.0
    seed: int = 42

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain JSON values."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}


def load_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        DataError: if the file is missing or not YAML, a key is unknown or missing, or a value has
            the wrong type or is out of range.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a mapping, got {type(content).__name__}")
    known = {field.name: field for field in fields(Recipe)}
    if unknown := sorted(content.keys() - known.keys()):
        raise DataError(f"{path}: unknown keys {unknown}; known are {', '.join(known)}")
    required = {name for name, field in known.items() if field.default is MISSING}
    if missing := sorted(required - content.keys()):
        raise DataError(f"{path}: keys {missing} are missing")
    return _checked(path, content)


def _checked(path: Path, content: dict[str, Any]) -> Recipe:
    values: dict[str, Any] = {}
    for field in fields(Recipe):
        if field.name not in content:
            continue
        value = content[field.name]
        kind = str(field.type)
        if kind.startswith("tuple"):
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise DataError(f"{path}: {field.name} is {value!r}, expected a list of texts")
            values[field.name] = tuple(value)
        elif kind == "float" and type(value) in (int, float):
            values[field.name] = float(value)
        elif type(value).__name__ == kind:
            values[field.name] = value
        else:
            raise DataError(f"{path}: {field.name} is {value!r}, expected {kind}")
    positive = (
        "r",
        "lora_alpha",
        "scale",
        "batch_size",
        "learning_rate",
        "epochs",
        "interpolation",
    )
    for name in positive:
        if name in values and not values[name] > 0:
            raise DataError(f"{path}: {name} is {values[name]}, expected more than 0")
    if not values["train"]:
        raise DataError(f"{path}: train names no file")
    values["train"] = tuple(str(path.parent / file) for file in values["train"])
    return Recipe(**values)
