"""What routers call: lists of floats, the parent's names and options, copies."""

from __future__ import annotations

import asyncio
import copy
import pickle
from pathlib import Path

import numpy as np
import pytest

from semantic_router_lora import LoRAHuggingFaceEncoder
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.errors import InputError


@pytest.fixture(scope="module")
def encoder(adapter_folder: Path) -> LoRAHuggingFaceEncoder:
    return LoRAHuggingFaceEncoder(adapter=str(adapter_folder))


def test_encoder_gives_lists_of_floats(encoder):
    vectors = encoder(["one", "two"])
    assert isinstance(vectors, list) and isinstance(vectors[0], list)
    assert isinstance(vectors[0][0], float)
    np.testing.assert_allclose(vectors, encoder.embedder.encode(["one", "two"]), atol=1e-6)
    assert encoder([]) == []
    assert asyncio.run(encoder.acall(["one"])) == encoder(["one"])


def test_encoder_name_type_and_arguments(encoder, adapter_folder, base_folder):
    assert encoder.type == "lora_huggingface"
    assert encoder.name == f"{DEFAULT_BASE}+lora:{adapter_folder}"
    by_name = LoRAHuggingFaceEncoder(name=encoder.name)
    assert by_name.embedder.fingerprint == encoder.embedder.fingerprint
    moved = LoRAHuggingFaceEncoder(adapter=str(adapter_folder), base_model=str(base_folder))
    assert moved.embedder.fingerprint == encoder.embedder.fingerprint
    assert moved.name == f"{base_folder}+lora:{adapter_folder}"
    for wrong in (
        {"name": encoder.name, "adapter": "another"},
        {"adaptor": str(adapter_folder)},
        {"model_kwargs": {"torch_dtype": "float16"}},
        {"type": "huggingface"},
    ):
        with pytest.raises(InputError):
            LoRAHuggingFaceEncoder(**wrong)


def test_options_of_the_parents_call(encoder):
    assert encoder(["a"], batch_size=1, pooling_strategy="mean") == encoder(["a"])
    with pytest.raises(InputError, match="unit length"):
        encoder(["a"], normalize_embeddings=False)
    with pytest.raises(InputError, match="pools by 'mean'"):
        encoder(["a"], pooling_strategy="max")


def test_pickle_deepcopy_and_dump(encoder):
    for copied in (pickle.loads(pickle.dumps(encoder)), copy.deepcopy(encoder)):
        assert copied.name == encoder.name
        assert copied(["text"]) == encoder(["text"])
    dump = encoder.model_dump() if hasattr(encoder, "model_dump") else encoder.dict()
    assert dump["name"] == encoder.name
    assert dump["type"] == "lora_huggingface"
    assert len(pickle.dumps(encoder)) < 10_000
