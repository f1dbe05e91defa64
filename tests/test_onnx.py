"""Exported folders: the vectors of the packed engine, without PyTorch."""

from __future__ import annotations

import gc
import json
import os
import pickle
import random
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import semantic_router
import torch
import typer
from sklearn.metrics import average_precision_score
from transformers import AutoModel, BertConfig, DistilBertConfig
from typer.testing import CliRunner

from semantic_router_lora import Embedder, LoRAHuggingFaceEncoder, load_router, register, unregister
from semantic_router_lora.base_models import file_sha256
from semantic_router_lora.benchmark import suite
from semantic_router_lora.cli.export import export
from semantic_router_lora.engines.bert import read_bert_config
from semantic_router_lora.engines.bert_weights import read_bert_weights
from semantic_router_lora.engines.onnx import OnnxEngine
from semantic_router_lora.engines.packed import PackedEngine
from semantic_router_lora.engines.spreading import Spreading
from semantic_router_lora.errors import BaseModelError, InputError, MissingExtraError
from semantic_router_lora.export import onnx_folder
from semantic_router_lora.export.folder import GRAPH, INFO, TOKENIZER, read_exported
from semantic_router_lora.export.graph import bert_graph
from semantic_router_lora.export.onnx_folder import export_onnx

WORDS = "cancel my order before it ships and give the money back to an old card please".split()
UNEQUAL = [256, 1, 129, 3, 64, 2, 255, 17, 1, 100]


def sentences(count: int, most: int) -> list[str]:
    generator = random.Random(1)
    return [" ".join(generator.choices(WORDS, k=generator.randint(0, most))) for _ in range(count)]


@pytest.fixture(scope="module")
def small_base(complete: Callable[[Path], None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two narrow layers with random weights, and the real tokenizer."""
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


@pytest.fixture(scope="module")
def small(small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "small"
    export_onnx(str(small_base), folder)
    return folder


@pytest.fixture
def copied(small: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small, tmp_path / "copied"))


@pytest.fixture(scope="module")
def real(
    adapter_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Embedder, Embedder]:
    """all-MiniLM-L6-v2 with an adapter, on the packed engine and exported."""
    source = Embedder(adapter=str(adapter_folder))
    folder = tmp_path_factory.mktemp("exports") / "real"
    export_onnx(source.reference, folder)
    return source, Embedder(str(folder))


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_vectors_of_any_length_and_pooling(small_base, tmp_path, pooling):
    config = read_bert_config(onnx_folder.resolve_base(str(small_base)))
    assert not isinstance(config, str)
    weights = read_bert_weights(small_base, config)
    (tmp_path / GRAPH).write_bytes(bert_graph(weights, pooling=pooling))
    exported = OnnxEngine(tmp_path / GRAPH, dim=32)
    packed = PackedEngine(weights, pooling=pooling)
    generator = random.Random(0)
    for lengths in (UNEQUAL, [1], [12] * 9, [5, 0, 3], [0, 0], list(range(1, 257))):
        tokens = [[generator.randrange(30522) for _ in range(length)] for length in lengths]
        vectors = exported.embed(tokens)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(vectors, packed.embed(tokens), atol=1e-5)
        np.testing.assert_allclose(exported.embed(tokens[:1])[0], vectors[0], atol=1e-6)


def test_the_real_model_keeps_its_vectors_and_its_fingerprint(real):
    source, exported = real
    assert (exported.engine, exported.dtype, str(exported.device)) == ("onnx", "float32", "cpu")
    for name in ("fingerprint", "dim", "max_seq_length", "pooling"):
        assert getattr(exported, name) == getattr(source, name)
    for texts in (
        [""],
        ["", "Ünïcode, 漢字 and 🙂", "git " * 400, "[PAD] [MASK]"],
        sentences(300, 12),
        [" ".join(WORDS * 16)[:size] for size in range(0, 1200, 60)],
    ):
        np.testing.assert_allclose(exported.encode(texts), source.encode(texts), atol=1e-5)
    assert exported.encode([]).shape == (0, 384)


def test_the_adapters_weights_are_in_the_graph(real):
    texts = sentences(4, 12)
    base = Embedder("sentence-transformers/all-MiniLM-L6-v2").encode(texts)
    assert np.abs(real[1].encode(texts) - base).max() > 1e-3


def test_by_reference_by_pickle_and_by_engine(small, monkeypatch):
    embedder = Embedder(str(small), threads=2)
    texts = sentences(9, 30)
    expected = embedder.encode(texts)
    assert embedder.reference == str(small)
    for other in (
        Embedder.from_reference(embedder.reference),
        Embedder(base=str(small), engine="onnx", device="cpu"),
        pickle.loads(pickle.dumps(embedder)),
    ):
        assert (other.engine, other.fingerprint) == ("onnx", embedder.fingerprint)
        np.testing.assert_allclose(other.encode(texts), expected, atol=1e-6)
    monkeypatch.chdir(small.parent)
    assert Embedder("small").reference == str(small)


def test_callers_side_by_side_get_what_one_gets_bit_for_bit(small):
    embedder = Embedder(str(small), threads=2)
    texts = sentences(24, 12)
    expected = [embedder.encode([text]) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: embedder.encode([texts[i % 24]]), range(240)))
    np.testing.assert_array_equal(found, expected * 10)


def test_a_short_text_alone_has_the_same_bits_on_all_threads(real, monkeypatch):
    embedder = Embedder(real[1].reference, threads=2)
    texts = sentences(24, 12)
    monkeypatch.setattr(Spreading, "_choose", lambda *_: False)
    on_one = [embedder.encode([text]) for text in texts]
    monkeypatch.setattr(Spreading, "_choose", lambda *_: True)
    np.testing.assert_array_equal([embedder.encode([text]) for text in texts], on_one)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
def test_a_fork_embeds_what_its_parent_embeds(small, monkeypatch):
    monkeypatch.setattr(Spreading, "_choose", lambda *_: True)
    embedder = Embedder(str(small), threads=2)
    texts = sentences(40, 40)
    expected = embedder.encode(texts)
    alone = embedder.encode(["a short one"])  # its threads are running when it forks
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        same = np.array_equal(embedder.encode(texts), expected)
        same &= np.array_equal(embedder.encode(["a short one"]), alone)
        del embedder
        gc.collect()
        os.write(writer, b"same" if same else b"else")
        os._exit(0)
    ready, _, _ = select.select([reader], [], [], 60)
    answer = os.read(reader, 4) if ready else b"hangs"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert answer == b"same"


def test_it_runs_where_torch_and_transformers_are_not_installed(real, tmp_path):
    source, exported = real
    np.save(tmp_path / "expected.npy", source.encode(["one", "two words"]))
    code = (
        "import sys, numpy as np\n"
        "for name in ('torch', 'transformers', 'peft', 'onnx'):\n"
        "    sys.modules[name] = None\n"
        "from semantic_router_lora import Embedder, LoRAHuggingFaceEncoder\n"
        "expected = np.load(sys.argv[2])\n"
        "for encode in (Embedder(sys.argv[1]).encode, LoRAHuggingFaceEncoder(name=sys.argv[1])):\n"
        "    assert np.abs(np.asarray(encode(['one', 'two words'])) - expected).max() < 1e-5\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, exported.reference, str(tmp_path / "expected.npy")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def rewrite(folder: Path, **changes: Any) -> None:
    """Change what export.json says, its checksum included."""
    replace(read_exported(str(folder)).info, **changes).write(folder)


def put_graph(folder: Path, content: bytes) -> None:
    """Another graph, with its right hash."""
    (folder / GRAPH).write_bytes(content)
    rewrite(folder, graph_sha256=file_sha256(folder / GRAPH))


def edited_graph(folder: Path, change: Callable[[Any], None]) -> None:
    model = onnx.load(folder / GRAPH)
    change(model)
    put_graph(folder, model.SerializeToString())


def cut_short(folder: Path) -> None:
    content = (folder / GRAPH).read_bytes()
    (folder / GRAPH).write_bytes(content[: len(content) // 2])


def one_bit(folder: Path) -> None:
    content = bytearray((folder / GRAPH).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / GRAPH).write_bytes(content)


def other_tokenizer(folder: Path) -> None:
    path = folder / TOKENIZER
    path.write_text(
        path.read_text(encoding="utf-8").replace('"lowercase":true', '"lowercase":false')
    )


def edited_info(folder: Path) -> None:
    info = json.loads((folder / INFO).read_text())
    (folder / INFO).write_text(json.dumps(info | {"max_length": 8}))


def later_format(folder: Path) -> None:
    rewrite(folder, format_version=2)


def later_opset(folder: Path) -> None:
    def change(model: Any) -> None:
        model.opset_import[0].version = 999

    edited_graph(folder, change)


def weights_outside(folder: Path) -> None:
    def change(model: Any) -> None:
        tensor = next(t for t in model.graph.initializer if t.name == "layer.0.query")
        (folder.parent / "outside").write_bytes(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="../outside")

    edited_graph(folder, change)


def other_output(folder: Path) -> None:
    edited_graph(folder, lambda model: setattr(model.graph.output[0], "name", "grid"))


BROKEN: list[tuple[Callable[[Path], Any], str]] = [
    (lambda folder: (folder / GRAPH).unlink(), "has no model.onnx"),
    (lambda folder: (folder / TOKENIZER).unlink(), "has no tokenizer.json"),
    (cut_short, r"model.onnx \(\d+ bytes\) is not the file that was exported"),
    (one_bit, "model.onnx .* is not the file that was exported"),
    (other_tokenizer, "tokenizer.json .* is not the file that was exported"),
    (edited_info, "changed after the export"),
    (lambda folder: (folder / INFO).write_text('{"format": '), "does not describe"),
    (lambda folder: (folder / INFO).write_text("[" * 100_000), "does not describe"),
    (lambda folder: (folder / INFO).write_text("{}"), "its format is not"),
    (later_format, "format version 2, this release reads 1"),
    (lambda folder: rewrite(folder, dtype="float64"), "dtype 'float64'"),
    (lambda folder: rewrite(folder, max_length="256"), "max_length is '256'"),
    (lambda folder: rewrite(folder, dim=33), "vectors of 33 numbers"),
    (lambda folder: put_graph(folder, b"no graph at all"), "is no ONNX graph"),
    (lambda folder: put_graph(folder, b""), "is no ONNX graph"),
    (later_opset, "ONNX Runtime cannot load it.*999"),
    (weights_outside, "takes weights from other files"),
    (other_output, "ONNX Runtime cannot load it|not ids and lengths"),
]


@pytest.mark.parametrize(("damage", "message"), BROKEN, ids=[m for _, m in BROKEN])
def test_a_broken_folder_is_one_clear_error(copied, capfd, damage, message):
    damage(copied)
    with pytest.raises(BaseModelError, match=message) as caught:
        Embedder(str(copied))
    assert str(copied) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"adapter": "multi-domain-cache-lora-L6"}, "whose adapter is merged"),
        ({"device": "cuda"}, "device is 'cuda'"),
        ({"dtype": "bfloat16"}, "dtype is 'bfloat16'"),
        ({"engine": "packed"}, "engine is 'packed'"),
    ],
    ids=str,
)
def test_options_that_an_export_cannot_follow(small, options, message):
    with pytest.raises(InputError, match=message):
        Embedder(str(small), **options)


def test_the_engine_alone_names_the_command(small_base):
    with pytest.raises(InputError, match="semantic-router-lora export --engine onnx"):
        Embedder(str(small_base), engine="onnx")
    with pytest.raises(InputError, match="export --engine onnx"):
        LoRAHuggingFaceEncoder(engine="onnx")


def test_a_missing_runtime_names_the_extra(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"semantic-router-lora\[onnx\]"):
        Embedder(str(small))


def test_a_saved_router_finds_its_folder_again(small, tmp_path):
    encoder = LoRAHuggingFaceEncoder(name=str(small))
    assert (encoder.name, encoder.adapter) == (str(small), None)
    route = semantic_router.Route(name="refund", utterances=["I want my money back"])
    lines = {"RouteLayer": {}, "IndexedRouter": {}, "SemanticRouter": {"auto_sync": "local"}}
    kind = next(name for name in lines if hasattr(semantic_router, name))
    router = getattr(semantic_router, kind)(encoder=encoder, routes=[route], **lines[kind])
    register()
    try:
        router.to_json(str(tmp_path / "router.json"))
        loaded = load_router(tmp_path / "router.json")
    finally:
        unregister()
    assert loaded.encoder.embedder.fingerprint == encoder.embedder.fingerprint
    assert loaded.encoder.embedder.engine == "onnx"
    assert loaded("I want my money back").name == "refund"


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


def test_the_command_replaces_an_export(small_base, copied):
    (copied / "old").touch()
    done = runner.invoke(cli, [str(small_base), str(copied), "--overwrite", "--engine", "onnx"])
    assert done.exit_code == 0, done.exception
    assert Embedder(str(copied)).fingerprint in done.stdout
    assert sorted(path.name for path in copied.iterdir()) == [INFO, GRAPH, TOKENIZER]
    assert list(copied.parent.iterdir()) == [copied]


def test_nothing_is_left_of_an_export_that_fails(small_base, tmp_path, monkeypatch):
    real = onnx_folder.bert_graph

    def shifted(weights: Any, *, pooling: str) -> bytes:
        weights.positions.add_(0.1 * torch.randn(weights.positions.shape))
        return real(weights, pooling=pooling)

    monkeypatch.setattr(onnx_folder, "bert_graph", shifted)
    with pytest.raises(BaseModelError, match="other vectors than the embedder"):
        export_onnx(str(small_base), tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_says_why(base_folder, small, tmp_path):
    small_config = DistilBertConfig(vocab_size=30522, dim=32, n_layers=1, n_heads=2, hidden_dim=32)
    other = tmp_path / "distilbert"
    AutoModel.from_config(small_config).save_pretrained(other)
    shutil.copy(base_folder / "tokenizer.json", other)
    with pytest.raises(InputError, match=r"only BERT .* distilbert, not bert"):
        export_onnx(str(other), tmp_path / "out")
    with pytest.raises(InputError, match="is an exported folder itself"):
        export_onnx(str(small), tmp_path / "out")
    with pytest.raises(InputError, match="there is no folder"):
        export_onnx(str(other), tmp_path / "no" / "out")


def test_int8_says_what_it_costs(small_base, small, tmp_path, monkeypatch):
    suites = [found.sample(12, 0) for found in suite.load_suites(["bundled:dev"])[:2]]
    monkeypatch.setattr(suite, "load_suites", lambda names: suites)
    done = runner.invoke(cli, [str(small_base), str(tmp_path / "int8"), "--int8"])
    assert done.exit_code == 0, done.exception
    exact, quantized = Embedder(str(small)), Embedder(str(tmp_path / "int8"))
    assert quantized.dtype == "int8"
    assert quantized.fingerprint != exact.fingerprint
    assert (tmp_path / "int8" / GRAPH).stat().st_size < (small / GRAPH).stat().st_size
    loss = read_exported(str(tmp_path / "int8")).info.int8_loss
    texts = sorted({text for s in suites for triplet in s.triplets for text in triplet.texts})
    cosines = (exact.encode(texts) * quantized.encode(texts)).sum(axis=1)
    assert 0.9 < cosines.min() < 1 - 1e-5
    alone = np.concatenate([quantized.encode([text]) for text in texts[:20]])
    np.testing.assert_array_equal(alone, quantized.encode(texts)[:20])
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
