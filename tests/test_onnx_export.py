"""Exporting to ONNX: the command, what it refuses, and what int8 costs."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import onnx
import pytest
import typer
from sklearn.metrics import average_precision_score
from transformers import AutoModel, DistilBertConfig
from typer.testing import CliRunner

from semantic_router_lora import Embedder
from semantic_router_lora.benchmark import suite
from semantic_router_lora.cli.export import export
from semantic_router_lora.engines.spreading import Spreading
from semantic_router_lora.errors import BaseModelError, InputError
from semantic_router_lora.export import onnx_folder
from semantic_router_lora.export.folder import (
    GRAPH,
    INFO,
    SINGLE,
    TOKENIZER,
    WEIGHTS,
    read_exported,
)
from semantic_router_lora.export.onnx_folder import export_onnx

runner = CliRunner()
cli = typer.Typer()

cli.command()(export)


def test_the_command_refuses_to_replace_what_it_did_not_write(small_base, tmp_path):
    target = tmp_path / "mine"
    target.mkdir()
    (target / "thesis.txt").write_text("years of work")
    for options, message in (([], "exists; --overwrite"), (["--overwrite"], "no exported folder")):
        done = runner.invoke(cli, [str(small_base), str(target), *options])
        assert isinstance(done.exception, InputError)
        assert message in str(done.exception)
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "thesis.txt"]


def test_the_command_replaces_an_export(small_base, copied_export):
    (copied_export / "old").touch()
    done = runner.invoke(
        cli, [str(small_base), str(copied_export), "--overwrite", "--engine", "onnx"]
    )
    assert done.exit_code == 0, done.exception
    assert Embedder(str(copied_export)).fingerprint in done.stdout
    assert sorted(path.name for path in copied_export.iterdir()) == [
        INFO,
        GRAPH,
        SINGLE,
        TOKENIZER,
        WEIGHTS,
    ]
    assert list(copied_export.parent.iterdir()) == [copied_export]


@pytest.mark.parametrize("wrong", [True, False], ids=["single", "batch"])
def test_nothing_is_left_of_an_export_that_fails(small_base, tmp_path, monkeypatch, wrong):
    real = onnx_folder.bert_graph

    def shifted(weights: Any, *, pooling: str, single: bool) -> Any:
        return real(weights, pooling="cls" if single is wrong else pooling, single=single)

    monkeypatch.setattr(onnx_folder, "bert_graph", shifted)
    with pytest.raises(BaseModelError, match="other vectors than the embedder"):
        export_onnx(str(small_base), tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_says_why(base_folder, small_export, tmp_path):
    small_config = DistilBertConfig(vocab_size=30522, dim=32, n_layers=1, n_heads=2, hidden_dim=32)
    other = tmp_path / "distilbert"
    AutoModel.from_config(small_config).save_pretrained(other)
    shutil.copy(base_folder / "tokenizer.json", other)
    with pytest.raises(InputError, match=r"only BERT .* distilbert, not bert"):
        export_onnx(str(other), tmp_path / "out")
    with pytest.raises(InputError, match="is an exported folder itself"):
        export_onnx(str(small_export), tmp_path / "out")
    with pytest.raises(InputError, match="there is no folder"):
        export_onnx(str(other), tmp_path / "no" / "out")


def test_int8_says_what_it_costs(small_base, small_export, tmp_path, monkeypatch):
    suites = [found.sample(12, 0) for found in suite.load_suites(["bundled:dev"])[:2]]
    monkeypatch.setattr(suite, "load_suites", lambda names: suites)
    done = runner.invoke(cli, [str(small_base), str(tmp_path / "int8"), "--int8"])
    assert done.exit_code == 0, done.exception
    exact, quantized = Embedder(str(small_export)), Embedder(str(tmp_path / "int8"))
    assert quantized.dtype == "int8"
    assert quantized.fingerprint != exact.fingerprint
    for name in (GRAPH, SINGLE):  # of float32, only the two tables of embeddings are left
        kept = onnx.load(tmp_path / "int8" / name).graph.initializer
        large = [w.name for w in kept if w.data_type == onnx.TensorProto.FLOAT and len(w.dims) > 1]
        assert sorted(large) == ["positions", "words"]
    loss = read_exported(str(tmp_path / "int8")).info.int8_loss
    texts = sorted({text for s in suites for triplet in s.triplets for text in triplet.texts})
    cosines = (exact.encode(texts) * quantized.encode(texts)).sum(axis=1)
    assert 0.9 < cosines.min() < 1 - 1e-5
    alone = np.concatenate([quantized.encode([text]) for text in texts[:20]])
    np.testing.assert_array_equal(alone, quantized.encode(texts)[:20])
    monkeypatch.setattr(Spreading, "_choose", lambda *_: True)
    np.testing.assert_array_equal(alone[:3], quantized.encode(texts[:3]))  # few tokens in all
    assert loss["texts"] == len(texts)
    assert loss["cosine_mean"] == pytest.approx(cosines.mean(), abs=1e-6)
    assert loss["cosine_min"] == pytest.approx(cosines.min(), abs=1e-6)
    assert f"mean {cosines.mean():.4f}, least {cosines.min():.4f}" in done.stdout
    for one in suites:
        for embedder in (exact, quantized):
            anchor, positive, negative = (
                embedder.encode([triplet.texts[part] for triplet in one.triplets])
                for part in range(3)
            )
            scores = [(anchor * other).sum(axis=1) for other in (positive, negative)]
            labels = np.repeat([1, 0], len(one.triplets))
            expected = average_precision_score(labels, np.concatenate(scores))
            found = loss["average_precision"][one.domain][embedder.dtype]
            assert found == pytest.approx(expected, abs=1e-6)
            assert f"{found:.4f}" in done.stdout
