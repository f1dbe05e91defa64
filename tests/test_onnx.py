"""Exported folders: the vectors of the packed engine, without PyTorch."""

from __future__ import annotations

import gc
import os
import pickle
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import semantic_router
from forking import holds_in_a_fork
from sample_texts import WORDS, sentences

from semantic_router_lora import Embedder, LoRAHuggingFaceEncoder, load_router, register, unregister
from semantic_router_lora.engines.bert import read_bert_config
from semantic_router_lora.engines.bert_weights import read_bert_weights
from semantic_router_lora.engines.onnx import OnnxEngine
from semantic_router_lora.engines.packed import PackedEngine
from semantic_router_lora.engines.spreading import Spreading
from semantic_router_lora.engines.watched import WatchedFile
from semantic_router_lora.export import onnx_folder
from semantic_router_lora.export.folder import GRAPH, SINGLE, WEIGHTS
from semantic_router_lora.export.graph import bert_graph
from semantic_router_lora.export.onnx_folder import export_onnx
from semantic_router_lora.export.saving import save_graphs

UNEQUAL = [256, 1, 129, 3, 64, 2, 255, 17, 1, 100]


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
    graphs = {
        tmp_path / name: bert_graph(weights, pooling=pooling, single=name == SINGLE)
        for name in (GRAPH, SINGLE)
    }
    save_graphs(graphs, tmp_path / WEIGHTS)
    files = (WatchedFile(tmp_path / name) for name in (GRAPH, SINGLE, WEIGHTS))
    exported = OnnxEngine(*files, dim=32)
    packed = PackedEngine(weights, pooling=pooling)
    generator = random.Random(0)
    for lengths in (UNEQUAL, [1], [12] * 9, [5, 0, 3], [0, 0], list(range(1, 257))):
        tokens = [[generator.randrange(30522) for _ in range(length)] for length in lengths]
        vectors = exported.embed(tokens)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(vectors, packed.embed(tokens), atol=1e-5)
        np.testing.assert_allclose(exported.embed(tokens[:1])[0], vectors[0], atol=1e-6)
    for length in range(65):
        alone = [[generator.randrange(30522) for _ in range(length)]]
        for threads in (1, 2):
            np.testing.assert_array_equal(
                exported.embed_alone(alone, threads), exported.embed(alone)
            )


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


def test_by_reference_by_pickle_and_by_engine(small_export, monkeypatch):
    embedder = Embedder(str(small_export), threads=2)
    texts = sentences(9, 30)
    expected = embedder.encode(texts)
    assert embedder.reference == str(small_export)
    for other in (
        Embedder.from_reference(embedder.reference),
        Embedder(base=str(small_export), engine="onnx", device="cpu"),
        pickle.loads(pickle.dumps(embedder)),
    ):
        assert (other.engine, other.fingerprint) == ("onnx", embedder.fingerprint)
        np.testing.assert_allclose(other.encode(texts), expected, atol=1e-6)
    monkeypatch.chdir(small_export.parent)
    assert Embedder("small").reference == str(small_export)


def test_callers_side_by_side_get_what_one_gets_bit_for_bit(small_export):
    embedder = Embedder(str(small_export), threads=2)
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
def test_a_fork_embeds_what_its_parent_embeds(small_export, monkeypatch):
    monkeypatch.setattr(Spreading, "_choose", lambda *_: True)
    embedder = Embedder(str(small_export), threads=2)
    texts = sentences(40, 40)
    expected = embedder.encode(texts)
    alone = embedder.encode(["a short one"])  # its threads are running when it forks

    def same() -> bool:
        nonlocal embedder
        found = np.array_equal(embedder.encode(texts), expected)
        found &= np.array_equal(embedder.encode(["a short one"]), alone)
        del embedder
        gc.collect()
        return found

    assert holds_in_a_fork(same)


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


def test_a_saved_router_finds_its_folder_again(small_export, tmp_path):
    encoder = LoRAHuggingFaceEncoder(name=str(small_export))
    assert (encoder.name, encoder.adapter) == (str(small_export), None)
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
