"""A small base with random weights, and what it is exported to."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def small_base(complete: Callable[[Path], None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two narrow layers with random weights, and the real tokenizer."""
    from transformers import AutoModel, BertConfig

    folder = tmp_path_factory.mktemp("small")
    settings = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
    torch.manual_seed(0)
    config = BertConfig(vocab_size=30522, num_hidden_layers=2, **settings)
    model = AutoModel.from_config(config)
    for parameter in model.parameters():  # biases and norms, too: a new model's are 0 and 1
        parameter.data.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(folder)
    complete(folder)
    return folder


@pytest.fixture(scope="session")
def small_export(small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small base, exported. A test that changes it takes copied_export."""
    from semantic_router_lora.export.onnx_folder import export_onnx

    folder = tmp_path_factory.mktemp("exports") / "small"
    export_onnx(str(small_base), folder)
    return folder


@pytest.fixture
def copied_export(small_export: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_export, tmp_path / "copied"))
