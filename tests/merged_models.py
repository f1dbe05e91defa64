"""A small base and adapter to merge, and the vectors that others' loaders get of the result."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from semantic_router_lora import Embedder

WORDS = "cancel my Order before it ships and give the money back to an old card please".split()
TEXTS = [
    *(" ".join((WORDS * 40)[:count]) for count in (0, 1, 2, 7, 30, 253, 254, 255, 300, 511, 600)),
    "UPPER Case, naïve Größe, 東京, \N{GRINNING FACE}",
    "a\tb\nc\u00a0d\u200be",
    "a [SEP] in the middle",
]


@pytest.fixture(scope="session")
def small_adapter(make_adapter: Callable[..., Path], small_base: Path) -> Path:
    return make_adapter(base=small_base)


@pytest.fixture
def base(small_base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_base, tmp_path / "base"))


@pytest.fixture
def adapter(small_adapter: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_adapter, tmp_path / "adapter"))


def vectors_by(loader: str, folder: Path) -> np.ndarray:
    from semantic_router import encoders

    if loader == "Embedder":
        return Embedder(str(folder)).encode(TEXTS)
    if loader == "AutoModel":
        return by_transformers(folder)
    if loader == "HuggingFaceEncoder":
        encoder = encoders.HuggingFaceEncoder(name=str(folder), device="cpu")
        return np.array(encoder(TEXTS), dtype=np.float32)
    pytest.importorskip("sentence_transformers")
    if loader == "LocalEncoder":
        if not hasattr(encoders, loader):
            pytest.skip("not in this line of semantic-router")
        encoder = encoders.LocalEncoder(name=str(folder), device="cpu")
        return np.array(encoder(TEXTS), dtype=np.float32)
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu").encode(TEXTS)


def by_transformers(folder: Path, pooling: str = "mean") -> np.ndarray:
    """With nothing but what every user of transformers writes."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder)
    rows = []
    for text in TEXTS:
        with torch.inference_mode():
            hidden = model(**tokenizer(text, truncation=True, return_tensors="pt"))[0][0]
        row = {"mean": hidden.mean(0), "cls": hidden[0], "max": hidden.amax(0)}[pooling]
        rows.append(torch.nn.functional.normalize(row, dim=0).numpy())
    return np.stack(rows)


def edit_json(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(content | changes))
