"""Which engine and which precision an embedder takes, and what it refuses."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sample_texts import sentences
from transformers import AutoModel, DistilBertConfig

from semantic_router_lora import Embedder, building
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.engines import processor
from semantic_router_lora.errors import AdapterMismatchError, InputError


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


def test_other_architectures_fall_back(base_folder, tmp_path):
    small = DistilBertConfig(vocab_size=30522, dim=32, n_layers=1, n_heads=2, hidden_dim=32)
    AutoModel.from_config(small).save_pretrained(tmp_path / "distilbert")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(base_folder / name, tmp_path / "distilbert" / name)
    assert Embedder(str(tmp_path / "distilbert")).engine == "transformers"
    copied_base = Path(shutil.copytree(base_folder, tmp_path / "base"))
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


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"threads": True}, {"engine": "onyx"}], ids=str)
def test_options_out_of_range(wrong):
    with pytest.raises(InputError):
        Embedder(DEFAULT_BASE, **wrong)


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


@pytest.fixture
def make_processor(monkeypatch, tmp_path) -> Iterator[Callable[[str, str], None]]:
    """What /proc/cpuinfo says."""

    def make(vendor: str, flags: str) -> None:
        info = tmp_path / "cpuinfo"
        one = f"vendor_id\t: {vendor}\ncpu family\t: 6\nmodel\t\t: 2\nmodel name\t: A\n"
        info.write_text(f"{one}flags\t\t: {flags}\n\n{one}flags\t\t: none\n")
        monkeypatch.setattr(processor, "_CPU_INFO", info)
        processor._processor.cache_clear()

    yield make
    processor._processor.cache_clear()


@pytest.mark.parametrize(
    ("vendor", "flags", "bfloat16", "onednn"),
    [
        ("GenuineIntel", "fpu avx512f avx512_bf16 amx_tile amx_bf16", True, False),
        ("GenuineIntel", "fpu avx512f avx512_bf16 amx_bf16x", False, False),
        ("AuthenticAMD", "fpu avx512f avx512_bf16", True, True),
        ("AuthenticAMD", "fpu avx2", False, False),
        ("", "", False, False),
    ],
)
def test_what_is_fast_is_read_from_the_processors_flags(
    make_processor, vendor, flags, bfloat16, onednn
):
    make_processor(vendor, flags)
    assert processor.bfloat16_is_fast() is bfloat16
    assert processor.onednn_is_faster("bfloat16") is bfloat16
    assert processor.onednn_is_faster("float32") is onednn
    assert processor.onednn_is_faster("float16") is False


def test_nothing_is_fast_where_the_system_does_not_say(make_processor, monkeypatch, tmp_path):
    make_processor("AuthenticAMD", "avx512f avx512_bf16")
    monkeypatch.setattr(processor, "_CPU_INFO", tmp_path / "none")
    processor._processor.cache_clear()
    assert not processor.bfloat16_is_fast()
    assert not processor.onednn_is_faster("float32")
    assert processor.processor_name() == ""


def test_a_processor_is_named_with_what_it_can(make_processor):
    make_processor("AuthenticAMD", "avx512_bf16 fpu avx512f")
    assert processor.processor_name() == "A, family 6 model 2 avx512f avx512_bf16"


def test_nor_where_pytorch_lacks_the_operator(make_processor, monkeypatch):
    make_processor("AuthenticAMD", "avx512f avx512_bf16")
    monkeypatch.setattr(processor, "_OPERATOR", "_no_such_operator")
    assert not processor.onednn_is_faster("float32")


def test_vectors_are_the_same_by_mkl_and_by_onednn(monkeypatch, adapter_folder):
    def built(*, onednn: bool) -> Embedder:
        monkeypatch.setattr(building, "onednn_is_faster", lambda _: onednn)
        return Embedder(adapter=str(adapter_folder))

    mkl, onednn = built(onednn=False), built(onednn=True)
    assert mkl.fingerprint == onednn.fingerprint
    texts = ["", *sentences(40, 30), "long " * 400]
    np.testing.assert_allclose(onednn.encode(texts), mkl.encode(texts), atol=1e-6)
