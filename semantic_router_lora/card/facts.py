"""What the files of an adapter folder say, without running the adapter."""

from __future__ import annotations

import json
import math
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.read import named_base, read_config, read_info
from semantic_router_lora.base_models import file_sha256
from semantic_router_lora.card.fields import mapping, number, text, texts, whole
from semantic_router_lora.card.figures import CardResults, read_card_results
from semantic_router_lora.card.stated import is_hub_id
from semantic_router_lora.errors import AdapterFormatError, ModelReferenceError
from semantic_router_lora.reference import parse_hub_id

MOST_WEIGHTS_BYTES = 4_000_000_000
MOST_HISTORY_BYTES = 50_000_000


@dataclass(frozen=True)
class Weights:
    """The weights file.

    Attributes:
        size: in bytes.
        sha256: of its bytes, in hexadecimal.
        parameters: how many numbers it holds.
    """

    size: int
    sha256: str
    parameters: int


@dataclass(frozen=True)
class Base:
    """The base model that the configuration names; a revision only of one on the Hub."""

    name: str
    revision: str | None
    is_on_hub: bool


@dataclass(frozen=True)
class Facts:
    """An adapter folder as its files describe it.

    Attributes:
        name: what the adapter is called, if its files say so.
        config: adapter_config.json.
        base: the base model.
        weights: of the adapter.
        info: training_info.json; empty if there is none.
        dev_precision: step → average precision on dev, of training_history.json.
        has_tokenizer: whether the folder holds a tokenizer of its own.
        results: evaluation_results.json, if there is one.
    """

    name: str | None
    config: dict[str, Any]
    base: Base
    weights: Weights
    info: dict[str, Any]
    dev_precision: dict[int, float]
    has_tokenizer: bool
    results: CardResults | None

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe that the adapter was trained by; empty if it is not recorded."""
        return mapping(self.info, "recipe")

    @property
    def data(self) -> dict[str, Any]:
        """What is recorded of the training data; empty if nothing is."""
        return mapping(self.info, "data")

    @property
    def domains(self) -> list[str]:
        """The domains that it was trained on, as far as they are recorded."""
        return [name for name in mapping(self.data, "domains") if name != "unknown"]

    @property
    def targets(self) -> list[str]:
        """The layers that the adapter changes, sorted."""
        return sorted(texts(self.config, "target_modules"))


def read_facts(folder: Path) -> Facts:
    """Read an adapter folder.

    Raises:
        AdapterFormatError: if a file is missing, is no regular file, or is corrupt.
        ModelReferenceError: if the configuration names no base model.
        DataError: if evaluation_results.json holds no results of this adapter.
    """
    label = folder.name
    for file in (*layout.FILES, layout.TRAINING_PLOT):
        check_regular(label, folder / file)
    config = read_config(label, folder)
    info = read_info(label, folder / layout.TRAINING_INFO)
    name = text(info, "name")
    return Facts(
        name=name,
        config=config,
        base=_base(label, config),
        weights=_weights(label, folder / layout.WEIGHTS),
        info=info,
        dev_precision=_dev_precision(label, folder / layout.TRAINING_HISTORY),
        has_tokenizer=(folder / layout.TOKENIZER).is_file(),
        results=read_card_results(folder / layout.EVALUATION, [name or "", folder.name]),
    )


def check_regular(label: str, path: Path) -> None:
    """Refuse what is no plain file: a link leads out of the folder, a pipe can be read for ever.

    Raises:
        AdapterFormatError: if it is there and is no regular file.
    """
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    # the Hub's cache keeps files as links to its blobs
    is_cached = stat.S_ISLNK(mode) and path.resolve().parent.name == "blobs" and path.is_file()
    if not stat.S_ISREG(mode) and not is_cached:
        raise AdapterFormatError(f"adapter {label}: {path.name} is no regular file")


def _base(label: str, config: dict[str, Any]) -> Base:
    named = named_base(config)
    if named is None:
        raise ModelReferenceError(
            f"adapter {label}: {layout.CONFIG} names no base model; set base_model_name_or_path"
        )
    if not named.isprintable():
        raise AdapterFormatError(f"adapter {label}: base_model_name_or_path is {named!r}")
    hub_id = parse_hub_id(named)
    if hub_id is None or not is_hub_id(hub_id.repo):
        return Base(named, None, is_on_hub=False)
    return Base(hub_id.repo, hub_id.revision, is_on_hub=True)


def _dev_precision(label: str, path: Path) -> dict[int, float]:
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > MOST_HISTORY_BYTES:
            raise AdapterFormatError(
                f"adapter {label}: {path.name} is larger than {MOST_HISTORY_BYTES:,} bytes"
            )
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise AdapterFormatError(
            f"adapter {label}: {path.name} is not valid JSON: {error}"
        ) from error
    entries = (
        [entry for entry in content if isinstance(entry, dict)] if type(content) is list else []
    )
    return {
        step: precision
        for entry in entries
        if (step := whole(entry, "step")) is not None
        and (precision := number(entry, "eval_average_precision")) is not None
    }


def _weights(label: str, path: Path) -> Weights:
    from safetensors import SafetensorError, safe_open

    try:
        size = path.stat().st_size
        if size > MOST_WEIGHTS_BYTES:
            raise AdapterFormatError(f"adapter {label}: {path.name} has {size:,} bytes")
        digest = file_sha256(path)
        with safe_open(str(path), framework="numpy") as tensors:
            shapes = [tensors.get_slice(key).get_shape() for key in tensors.keys()]  # noqa: SIM118
    except FileNotFoundError as error:
        raise AdapterFormatError(f"adapter {label}: {path} does not exist") from error
    except (OSError, SafetensorError) as error:
        raise AdapterFormatError(f"adapter {label}: {path.name} is corrupt: {error}") from error
    return Weights(size, digest, sum(math.prod(shape) for shape in shapes))
