"""Models that an adapter was merged into, loaded by everything that can load them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard
from merged_models import TEXTS, vectors_by
from typer.testing import CliRunner

from semantic_router_lora import Embedder
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.cli import app
from semantic_router_lora.errors import InputError
from semantic_router_lora.export.merged import merge_model

BUNDLED = "multi-domain-cache-lora-L6"
LOADERS = ["Embedder", "HuggingFaceEncoder", "LocalEncoder", "SentenceTransformer", "AutoModel"]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("merged") / "L6"
    merge_model(BUNDLED, folder)
    return folder


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    vectors = Embedder(adapter=BUNDLED).encode(TEXTS)
    base = Embedder(DEFAULT_BASE).encode(TEXTS)
    assert (np.abs(vectors - base).max(axis=1) > 0.001).all()  # it is the adapter that is seen
    return vectors


@pytest.mark.parametrize("loader", LOADERS)
def test_the_real_model_by_everything_that_loads_it(real, expected, loader):
    np.testing.assert_allclose(vectors_by(loader, real), expected, atol=1e-5)


def test_the_folder_says_what_it_is(real):
    card = ModelCard.load(real / "README.md")
    data = card.data.to_dict()
    assert data["base_model"] == DEFAULT_BASE and data["license"] == "apache-2.0"
    source = Embedder(adapter=BUNDLED)
    assert data["merged_from"]["fingerprint"] == source.fingerprint
    assert data["merged_from"]["adapter"] == BUNDLED
    for said in ("derived model", source.fingerprint, Embedder(str(real)).fingerprint, "256 tok"):
        assert said in card.text
    assert (real / "2_Normalize").is_dir()
    modes = {path.stat().st_mode for path in real.iterdir() if path.is_file()}
    assert len(modes) == 1  # none is for its owner alone


def test_a_merged_model_takes_adapters_like_any_base(real, adapter_folder):
    stacked = Embedder(str(real), str(adapter_folder))
    assert np.abs(stacked.encode(TEXTS) - Embedder(str(real)).encode(TEXTS)).max() > 1e-3


def test_names_and_licences_of_others_stay_in_their_place(base, adapter, tmp_path):
    adapter = adapter.rename(tmp_path / "a | b\n# c")
    (base / "README.md").write_text("---\nlicense: mit\n---\n")
    (adapter / "README.md").write_text("---\nlicense: [\n---\n")
    folder = tmp_path / 'quo"te'
    merge_model(f"{base}+lora:{adapter}", folder)
    card = ModelCard.load(folder / "README.md")
    assert card.data.license is None and card.data.base_model is None
    assert "# a / b # c, merged into base\n" in card.text
    assert "| mit |" in card.text and "not stated" in card.text
    assert 'SentenceTransformer("quo\\"te")' in card.text
    assert str(tmp_path) not in card.text


def test_command_line(adapter, tmp_path):
    """The adapter's configuration names its base."""
    done = CliRunner().invoke(app, ["adapter", "merge", str(adapter), str(tmp_path / "merged")])
    assert done.exit_code == 0, done.output
    assert "HuggingFaceEncoder" in done.output and "fingerprint" in done.output
    again = CliRunner().invoke(app, ["adapter", "merge", str(adapter), str(tmp_path / "merged")])
    assert isinstance(again.exception, InputError) and "not empty" in str(again.exception)
