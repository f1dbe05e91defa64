"""The packed engine: the vectors of the transformers engine, without padding or transformers."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sample_texts import sentences
from transformers import AutoModel

from semantic_router_lora import Embedder
from semantic_router_lora.base_models import DEFAULT_BASE, resolve_base
from semantic_router_lora.engines import processor
from semantic_router_lora.engines.bert import BertConfig, read_bert_config
from semantic_router_lora.engines.bert_weights import BertWeights, read_bert_weights
from semantic_router_lora.engines.packed import PackedEngine
from semantic_router_lora.engines.transformers import TransformersEngine

ALL_LINEAR = ["query", "key", "value", "dense"]
LENGTHS = {
    "one token": [1],
    "longest": [512],
    "equal": [12] * 9,
    "unequal": [512, 1, 257, 3, 64, 2, 256, 17, 1, 129, 255],
    "every short one": list(range(1, 40)),
}


@pytest.fixture(scope="module")
def weights() -> BertWeights:
    base = resolve_base(DEFAULT_BASE)
    config = read_bert_config(base)
    assert isinstance(config, BertConfig)
    return read_bert_weights(base.folder, config)


@pytest.fixture(scope="module")
def model(base_folder: Path) -> Any:
    return AutoModel.from_pretrained(base_folder, dtype=torch.float32)


def random_tokens(lengths: list[int]) -> list[list[int]]:
    generator = random.Random(0)
    return [[generator.randrange(30522) for _ in range(length)] for length in lengths]


@pytest.mark.parametrize("onednn", [False, True], ids=["mkl", "onednn"])
@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_vectors_of_any_length_and_pooling(weights, model, pooling, onednn):
    packed = PackedEngine(weights, pooling=pooling, onednn=onednn)
    padded = TransformersEngine(model, pooling=pooling, pad_id=0, device=torch.device("cpu"))
    kinds = LENGTHS if pooling == "mean" else {"unequal": LENGTHS["unequal"]}
    for kind, lengths in kinds.items():
        tokens = random_tokens(lengths)
        ours = packed.embed(tokens)
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, padded.embed(tokens), atol=1e-5, err_msg=kind)
        # a row does not depend on its neighbours
        np.testing.assert_allclose(packed.embed(tokens[-1:])[0], ours[-1], atol=1e-6, err_msg=kind)


def test_half_precision_keeps_directions(weights):
    tokens = random_tokens(LENGTHS["unequal"])
    exact = PackedEngine(weights, pooling="mean").embed(tokens)
    kinds = [(torch.bfloat16, False), (torch.float16, False)]
    if processor.onednn_is_faster("bfloat16"):
        kinds.append((torch.bfloat16, True))
    for dtype, onednn in kinds:
        half = PackedEngine(weights.to(dtype), pooling="mean", onednn=onednn).embed(tokens)
        assert half.dtype == np.float32
        assert ((half * exact).sum(axis=1) > 0.9998).all()


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_a_text_of_no_tokens_gives_zeros(weights, pooling):
    vectors = PackedEngine(weights, pooling=pooling).embed([[101, 102], [], []])
    assert not vectors[1:].any() and vectors[0].any()


@pytest.mark.parametrize(
    "settings",
    [
        {"use_rslora": True},
        {"rank_pattern": {"layer.0.attention.self.query": 4}, "alpha_pattern": {"value": 40}},
        {"target_modules": ALL_LINEAR, "r": 4},
        {"target_modules": ALL_LINEAR, "exclude_modules": r"(.*\.)?pooler\..*"},
        {"target_modules": ALL_LINEAR, "exclude_modules": ["key", "pooler.dense"]},
    ],
    ids=str,
)
def test_adapters_that_are_merged_without_peft(make_adapter, settings):
    folder = str(make_adapter(**settings))
    packed = Embedder(adapter=folder, engine="packed")
    padded = Embedder(adapter=folder, engine="transformers")
    texts = sentences(8, 20)
    np.testing.assert_allclose(packed.encode(texts), padded.encode(texts), atol=2e-6)
    assert packed.fingerprint == padded.fingerprint


def test_neither_transformers_nor_peft_is_imported():
    code = (
        "import sys\n"
        "from semantic_router_lora import LoRAHuggingFaceEncoder\n"
        "encoder = LoRAHuggingFaceEncoder()\n"
        "assert len(encoder(['one', 'two'])) == 2\n"
        "heavy = {'transformers', 'peft', 'sentence_transformers', 'sklearn', 'scipy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
