"""An adapter that a test may change, and texts to try it on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from semantic_router_lora.adapters import layout

TEXTS = ["symptoms of diabetes", "treatment of diabetes, in short please", ""]


@pytest.fixture
def copied_adapter(adapter_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(adapter_folder, tmp_path / "copied"))


def edit_weights(folder: Path, change: Callable[[str, torch.Tensor], torch.Tensor | None]) -> None:
    tensors = {key: change(key, value) for key, value in load_file(folder / layout.WEIGHTS).items()}
    save_file({k: v for k, v in tensors.items() if v is not None}, folder / layout.WEIGHTS)
