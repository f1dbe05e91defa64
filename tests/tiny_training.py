"""A recipe, its data and a tiny base: training runs of a second."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from semantic_router_lora.benchmark.suite import bundled_file
from semantic_router_lora.training.recipe import Recipe
from semantic_router_lora.training.recipe_file import load_recipe

COMMAND = [sys.executable, "-m", "semantic_router_lora", "train"]
RECIPE = """
name: tiny
train: [law.jsonl]
dev: [psychology.dev.jsonl]
batch_size: 12
learning_rate: 0.01
epochs: 3
checkpoint_steps: 2
max_seq_length: 32
contrastive_weight: 1.0
"""


@pytest.fixture(scope="session")
def tiny_base(base_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with next to no layers, so that a run takes a second."""
    from transformers import BertConfig

    config = BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    return random_base(config, base_folder, tmp_path_factory.mktemp("tiny"))


def random_base(config: Any, like: Path, folder: Path) -> Path:
    from transformers import AutoModel

    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    for name in ("modules.json", "sentence_bert_config.json", "tokenizer.json"):
        shutil.copy(like / name, folder / name)
    shutil.copy(like / "tokenizer_config.json", folder)
    shutil.copytree(like / "1_Pooling", folder / "1_Pooling")
    settings = json.loads((folder / "1_Pooling" / "config.json").read_text())
    settings["word_embedding_dimension"] = config.hidden_size
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(settings))
    return folder


def write_recipe(folder: Path, text: str = RECIPE) -> Path:
    (folder / "law.jsonl").write_text(bundled_file("law", "dev").read_text())
    (folder / "psychology.dev.jsonl").write_text(bundled_file("psychology", "dev").read_text())
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    return write_recipe(tmp_path)


@pytest.fixture
def recipe(recipe_file: Path) -> Recipe:
    return load_recipe(recipe_file)
