"""Models for the tests: the real base from the installed wheel, and adapters made on the spot."""

from __future__ import annotations

import json
import os
import shutil

# Nothing here may depend on what the Hub serves or on what the user's cache holds.
os.environ["HF_HUB_OFFLINE"] = "1"
# Test processes that run side by side share the cores; what they start does, too.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from semantic_router_lora import register, unregister
from semantic_router_lora.base_models import DEFAULT_BASE, resolve_base

torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else min(2, torch.get_num_threads()))

# Fixtures that several files share.
pytest_plugins = [
    "copied_adapters",
    "corpus_jobs",
    "generation_jobs",
    "merged_models",
    "prepared",
    "publishing_hub",
    "single_filter",
    "small_exports",
    "tiny_training",
]

MakeAdapter = Callable[..., Path]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    from huggingface_hub import constants

    constants.HF_HUB_CACHE = str(tmp_path_factory.mktemp("hub"))


@pytest.fixture
def thread_count_put_back() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def registered() -> Iterator[None]:
    """Saved routers may hold our encoder."""
    register()
    yield
    unregister()


@pytest.fixture(scope="session")
def base_folder() -> Path:
    return resolve_base(DEFAULT_BASE).folder


def _randomise(model: torch.nn.Module, seed: int = 0) -> None:
    """Give every trainable weight a value, so that no part of the adapter is without effect."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        if parameter.requires_grad and "magnitude" not in name:
            with torch.no_grad():
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)


@pytest.fixture(scope="session")
def make_adapter(tmp_path_factory: pytest.TempPathFactory, base_folder: Path) -> MakeAdapter:
    """Write an adapter with random weights through peft, as any user of peft would."""

    def make(
        folder: Path | None = None, seed: int = 0, base: Path | None = None, **lora: Any
    ) -> Path:
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModel

        folder = folder or tmp_path_factory.mktemp("adapter")
        settings: dict[str, Any] = {"r": 8, "lora_alpha": 16, "target_modules": ["query", "value"]}
        model = AutoModel.from_pretrained(base or base_folder, dtype=torch.float32)
        torch.manual_seed(seed)  # peft draws the first weights
        wrapped = get_peft_model(model, LoraConfig(**(settings | lora)))
        _randomise(wrapped, seed)
        wrapped.peft_config["default"].base_model_name_or_path = str(base or DEFAULT_BASE)
        wrapped.save_pretrained(str(folder))
        return folder

    return make


@pytest.fixture(scope="session")
def adapter_folder(make_adapter: MakeAdapter) -> Path:
    return make_adapter()


@pytest.fixture(scope="session")
def complete(base_folder: Path) -> Callable[[Path], None]:
    """Puts the real tokenizer and pooling beside a model that transformers saved."""

    def copy(folder: Path) -> None:
        for name in ("modules.json", "sentence_bert_config.json", "tokenizer.json"):
            shutil.copy(base_folder / name, folder / name)
        shutil.copy(base_folder / "tokenizer_config.json", folder)
        shutil.copytree(base_folder / "1_Pooling", folder / "1_Pooling")

    return copy


@pytest.fixture(scope="session")
def twelve_layers(
    complete: Callable[[Path], None], base_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """all-MiniLM-L12-v2's real configuration, with random weights."""
    folder = tmp_path_factory.mktemp("L12")
    from transformers import AutoModel, BertConfig

    config = json.loads((base_folder / "config.json").read_text()) | {"num_hidden_layers": 12}
    torch.manual_seed(0)
    model = AutoModel.from_config(BertConfig.from_dict(config))
    model.save_pretrained(folder)
    complete(folder)
    return folder


@pytest.fixture
def law_folder(tmp_path: Path) -> Path:
    """A copy of a bundled adapter, which a test may change."""
    from semantic_router_lora.adapters.resolve import resolve_adapter

    name = "law-cache-lora-L6"
    return Path(shutil.copytree(resolve_adapter(name).folder, tmp_path / name))
