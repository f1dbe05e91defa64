"""Base models: their own pooling, and a refusal if they are nowhere, incomplete or others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from copied_adapters import TEXTS
from servers.hub_server import HubServer, Repo

from semantic_router_lora import Embedder
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.errors import BaseModelError


def test_bases_that_are_incomplete(base_folder, tmp_path):
    def copy(name: str, **config: Any) -> Path:
        folder = Path(shutil.copytree(base_folder, tmp_path / name))
        (folder / "config.json").write_text(
            json.dumps(json.loads((folder / "config.json").read_text()) | config)
        )
        return folder

    with pytest.raises(BaseModelError, match=r"missing \['encoder\.layer\.6"):
        Embedder(str(copy("layers", num_hidden_layers=7)))
    with pytest.raises(BaseModelError, match="cannot be read"):
        Embedder(str(copy("architecture", model_type="none such")))
    no_weights = copy("weights")
    (no_weights / "model.safetensors").unlink()
    with pytest.raises(BaseModelError, match=r"no model\.safetensors"):
        Embedder(str(no_weights))
    odd = copy("pooling")
    (odd / "1_Pooling" / "config.json").write_text('{"pooling_mode_weightedmean_tokens": true}')
    with pytest.raises(BaseModelError, match="pools by pooling_mode_weightedmean_tokens"):
        Embedder(str(odd))
    dense = copy("dense")
    modules = json.loads((dense / "modules.json").read_text())
    modules.append({"idx": 3, "name": "3", "path": "3_Dense", "type": "x.models.Dense"})
    (dense / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(BaseModelError, match="module of type Dense"):
        Embedder(str(dense))


def test_base_nowhere_says_what_would_serve(monkeypatch):
    from semantic_router_lora import base_models

    with pytest.raises(BaseModelError, match=r"HF_HUB_OFFLINE is set.*its folder"):
        Embedder("sentence-transformers/all-MiniLM-L12-v2")
    monkeypatch.setattr(base_models, "_WHEEL_MODULE", "no_such_wheel")
    with pytest.raises(BaseModelError, match=r"semantic-router-lora\[offline\]"):
        Embedder(DEFAULT_BASE)


def test_a_wheel_with_other_weights_is_refused(monkeypatch):
    from semantic_router_lora import base_models

    monkeypatch.setattr(base_models, "_WHEEL_SHA256", "0" * 64)
    with pytest.raises(BaseModelError, match="does not hold the weights"):
        Embedder(DEFAULT_BASE)


@pytest.mark.parametrize("pooling", ["cls", "max", "mean"])
def test_the_bases_own_pooling(base_folder, tmp_path, pooling):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    folder = Path(shutil.copytree(base_folder, tmp_path / pooling))
    flags = {"cls": "cls_token", "max": "max_tokens", "mean": "mean_tokens"}
    config = {f"pooling_mode_{flag}": mode == pooling for mode, flag in flags.items()}
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps(config | {"word_embedding_dimension": 384})
    )
    model = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    expected = model.encode(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(Embedder(str(folder)).encode(TEXTS), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prompts": {"q": "query: "}, "default_prompt_name": "q"}, "prepends the prompt"),
        ({"prompts": ["a"], "default_prompt_name": "q"}, r"has prompts \['a'\]"),
        ({"prompts": {"q": "query: "}, "default_prompt_name": ["q"]}, r"prompt_name \['q'\]"),
    ],
)
def test_prompts_are_refused(base_folder, tmp_path, settings, message):
    folder = Path(shutil.copytree(base_folder, tmp_path / "base"))
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    with pytest.raises(BaseModelError, match=message):
        Embedder(str(folder))


@pytest.fixture
def plain_hub(base_folder: Path) -> Iterator[HubServer]:
    """A hub with the base as transformers alone would have it: without modules.json."""
    names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    with HubServer().running() as server:
        server.repos["acme/plain"] = Repo()
        server.repos["acme/plain"].add({name: (base_folder / name).read_bytes() for name in names})
        yield server


def test_a_base_without_modules_is_found_offline_once_its_hub_said_so(plain_hub, tmp_path):
    code = "import sys; from semantic_router_lora import Embedder; print(Embedder(sys.argv[1]))"

    def load(offline: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {
            "HF_ENDPOINT": plain_hub.url,
            "HF_HOME": str(tmp_path),
            "HF_HUB_CACHE": str(tmp_path / "hub"),
            "HF_HUB_OFFLINE": offline,
            "HF_HUB_DISABLE_XET": "1",
        }
        command = [sys.executable, "-c", code, "acme/plain"]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    for offline in ("0", "1"):
        done = load(offline)
        assert "acme/plain" in done.stdout, done.stderr
    shutil.rmtree(tmp_path / "hub" / "models--acme--plain" / ".no_exist")
    # as transformers leaves a cache, whether or not there is a modules.json
    refused = load("1")
    assert "only partly in the Hugging Face cache" in refused.stderr
    assert "without modules.json" in refused.stderr
