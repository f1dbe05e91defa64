"""The packed engine: the vectors of the transformers engine, without padding or transformers."""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forking import holds_in_a_fork
from sample_texts import sentences
from transformers import AutoModel, AutoTokenizer, DistilBertConfig

from semantic_router_lora import Embedder, building
from semantic_router_lora.base_models import DEFAULT_BASE, resolve_base
from semantic_router_lora.bert_tokenizer import plain_bert_file
from semantic_router_lora.engines import precision
from semantic_router_lora.engines.bert import BertConfig, read_bert_config
from semantic_router_lora.engines.bert_weights import BertWeights, read_bert_weights
from semantic_router_lora.engines.packed import PackedEngine
from semantic_router_lora.engines.spreading import Spreading
from semantic_router_lora.engines.transformers import TransformersEngine
from semantic_router_lora.errors import AdapterMismatchError, InputError
from semantic_router_lora.tokenization import TextTokenizer, load_tokenizer

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


@pytest.fixture(scope="module")
def pair(adapter_folder: Path) -> tuple[Embedder, Embedder]:
    """The same on both engines."""
    options = {"base": DEFAULT_BASE, "adapter": str(adapter_folder)}
    return Embedder(**options), Embedder(**options, engine="transformers")


@pytest.fixture
def copied_base(base_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base_folder, tmp_path / "base"))


def random_tokens(lengths: list[int]) -> list[list[int]]:
    generator = random.Random(0)
    return [[generator.randrange(30522) for _ in range(length)] for length in lengths]


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_vectors_of_any_length_and_pooling(weights, model, pooling):
    packed = PackedEngine(weights, pooling=pooling)
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
    for dtype in (torch.bfloat16, torch.float16):
        half = PackedEngine(weights.to(dtype), pooling="mean").embed(tokens)
        assert half.dtype == np.float32
        assert ((half * exact).sum(axis=1) > 0.9998).all()


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_a_text_of_no_tokens_gives_zeros(weights, pooling):
    vectors = PackedEngine(weights, pooling=pooling).embed([[101, 102], [], []])
    assert not vectors[1:].any() and vectors[0].any()


def test_embedders_agree(pair):
    packed, padded = pair
    assert (packed.engine, padded.engine) == ("packed", "transformers")
    assert packed.fingerprint == padded.fingerprint
    for texts in (
        [""],
        ["", "Ünïcode, 漢字 and 🙂", "git " * 400, "[PAD] [MASK]"],
        sentences(1000, 6),
        sentences(20, 200),
    ):
        np.testing.assert_allclose(packed.encode(texts), padded.encode(texts), atol=1e-5)


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


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"bias": "all"}, "bias"),
        ({"modules_to_save": ["pooler"]}, "modules_to_save"),
        ({"target_modules": r".*layer\.[0-2]\..*query"}, "not a list"),
    ],
    ids=str,
)
def test_other_adapters_fall_back_and_say_so_once(make_adapter, caplog, settings, reason):
    folder = str(make_adapter(**settings))
    with caplog.at_level(logging.WARNING, "semantic_router_lora"):
        embedders = [Embedder(adapter=folder) for _ in range(2)]
    assert [embedder.engine for embedder in embedders] == ["transformers"] * 2
    told = [r.getMessage() for r in caplog.records if "transformers engine" in r.getMessage()]
    assert len(told) == 1 and reason in told[0]
    with pytest.raises(InputError, match=f"engine='packed' cannot run .*{reason}"):
        Embedder(adapter=folder, engine="packed")


def test_other_architectures_fall_back(base_folder, copied_base, tmp_path):
    small = DistilBertConfig(vocab_size=30522, dim=32, n_layers=1, n_heads=2, hidden_dim=32)
    AutoModel.from_config(small).save_pretrained(tmp_path / "distilbert")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(base_folder / name, tmp_path / "distilbert" / name)
    assert Embedder(str(tmp_path / "distilbert")).engine == "transformers"
    config = json.loads((copied_base / "config.json").read_text())
    for change in ({"hidden_act": "gelu_new"}, {"is_decoder": True}):
        (copied_base / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(InputError, match=f"cannot run .*{next(iter(change))}"):
            Embedder(str(copied_base), engine="packed")


def test_adapters_of_other_bases_are_refused(make_adapter, twelve_layers, adapter_folder, tmp_path):
    with pytest.raises(AdapterMismatchError, match="24 keys have no place"):
        Embedder(DEFAULT_BASE, str(make_adapter(base=twelve_layers)), engine="packed")
    with pytest.raises(AdapterMismatchError, match="24 places of the base get no weights"):
        Embedder(str(twelve_layers), str(adapter_folder), engine="packed")
    foreign = Path(shutil.copytree(adapter_folder, tmp_path / "foreign"))
    config = json.loads((foreign / "adapter_config.json").read_text())
    config["target_modules"] = ["q_lin", "v_lin"]
    (foreign / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(AdapterMismatchError, match="dense, key, query, value"):
        Embedder(DEFAULT_BASE, str(foreign), engine="packed")


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


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 3, 5])
def test_threads_are_the_embedders_own(pair, two_threads, threads):
    texts = sentences(40, 30)
    expected = pair[0].encode(texts)
    embedder = Embedder.from_reference(pair[0].reference, threads=threads)
    long = "a long one " * 60  # alone, it is spread over all threads
    np.testing.assert_allclose(embedder.encode(texts), expected, atol=1e-6)
    np.testing.assert_allclose(embedder.encode([long]), pair[1].encode([long]), atol=1e-5)
    elsewhere: list[int] = []
    thread = threading.Thread(target=lambda: elsewhere.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert [torch.get_num_threads(), *elsewhere] == [2, 2]


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"threads": True}, {"engine": "onyx"}], ids=str)
def test_options_out_of_range(wrong):
    with pytest.raises(InputError):
        Embedder(DEFAULT_BASE, **wrong)


def test_eight_callers_get_what_one_gets_bit_for_bit(pair):
    texts = sentences(24, 12)
    expected = [pair[0].encode([text]) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        for got, wanted in zip(
            pool.map(lambda i: pair[0].encode([texts[i % 24]]), range(96)),
            expected * 4,
            strict=True,
        ):
            np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("threads", [2, 3])
def test_a_short_text_alone_has_the_same_bits_on_all_threads(pair, monkeypatch, threads):
    embedder = Embedder.from_reference(pair[0].reference, threads=threads)
    beside = embedder.with_adapter("law-cache-lora-L6")  # an adapter beside the weights
    texts = sentences(24, 12)
    for one in (embedder, beside):
        monkeypatch.setattr(Spreading, "_choose", lambda *_: False)
        on_one = [one.encode([text]) for text in texts]
        monkeypatch.setattr(Spreading, "_choose", lambda *_: True)
        np.testing.assert_array_equal([one.encode([text]) for text in texts], on_one)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
def test_a_fork_embeds_what_its_parent_embeds(pair, monkeypatch):
    monkeypatch.setattr(Spreading, "_choose", lambda *_: True)
    embedder = Embedder.from_reference(pair[0].reference, threads=2)
    texts = ["a short one", "a long one " * 60]
    expected = [embedder.encode([text]) for text in texts]  # threads are running when it forks

    def same() -> bool:
        return all(
            np.allclose(embedder.encode([text]), vectors, atol=1e-6)
            for text, vectors in zip(texts, expected, strict=True)
        )

    assert holds_in_a_fork(same)


def test_auto_is_bfloat16_only_where_it_is_fast_and_close(monkeypatch, adapter_folder):
    def built() -> Embedder:
        return Embedder(adapter=str(adapter_folder), dtype="auto")

    monkeypatch.setattr(building, "bfloat16_is_fast", lambda: False)
    exact = built()
    assert exact.dtype == "float32"
    monkeypatch.setattr(building, "bfloat16_is_fast", lambda: True)
    half = built()
    assert half.dtype == "bfloat16"
    assert half.fingerprint != exact.fingerprint
    texts = sentences(8, 20)
    assert ((half.encode(texts) * exact.encode(texts)).sum(axis=1) > 0.9998).all()
    monkeypatch.setattr(building, "_LEAST_COSINE", 1.1)
    assert (built().dtype, built().fingerprint) == ("float32", exact.fingerprint)


@pytest.mark.parametrize(
    ("flags", "fast"),
    [("fpu avx512_bf16 amx_tile amx_bf16", True), ("fpu avx512_bf16 amx_bf16x", False)],
)
def test_fast_bfloat16_is_read_from_the_cpus_flags(monkeypatch, tmp_path, flags, fast):
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor\t: 0\nflags\t\t: {flags}\n\nprocessor\t: 1\n")
    monkeypatch.setattr(precision, "_CPU_INFO", info)
    precision.bfloat16_is_fast.cache_clear()
    assert precision.bfloat16_is_fast() is fast
    monkeypatch.setattr(precision, "_CPU_INFO", tmp_path / "none")
    precision.bfloat16_is_fast.cache_clear()
    assert precision.bfloat16_is_fast() is False
    precision.bfloat16_is_fast.cache_clear()


def lowered(folder: Path) -> None:
    edit(folder / "tokenizer_config.json", do_lower_case=False)


def other_normalizer(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["normalizer"]["strip_accents"] = False
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def more_tokens(folder: Path) -> None:
    edit(folder / "tokenizer_config.json", extra_special_tokens=["[ENT]"])


def listed_tokens(folder: Path) -> None:
    names = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]"}
    flags = dict.fromkeys(("lstrip", "rstrip", "normalized", "single_word"), False)
    listed = {str(i): {"content": n, **flags, "special": True} for i, n in names.items()}
    edit(folder / "tokenizer_config.json", added_tokens_decoder=listed)


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("change", "plain"),
    [
        (lambda folder: None, True),
        (listed_tokens, True),
        (lambda folder: (folder / "tokenizer_config.json").unlink(), True),
        (lowered, False),
        (other_normalizer, False),
        (more_tokens, False),
        (lambda folder: edit(folder / "special_tokens_map.json", cls_token="[MASK]"), False),
        (lambda folder: (folder / "tokenizer.json").unlink(), False),
    ],
)
def test_tokenizers_are_those_that_transformers_builds(copied_base, change, plain):
    change(copied_base)
    assert (plain_bert_file(copied_base) is not None) is plain
    ours = load_tokenizer(copied_base, lower_case=False, max_length=256, positions=512)
    built = AutoTokenizer.from_pretrained(copied_base).backend_tokenizer
    assert ours.serialized() == TextTokenizer(built, max_length=256).serialized()
