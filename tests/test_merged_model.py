"""Models that an adapter was merged into, loaded by everything that can load them."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import semantic_router.encoders
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer, BertConfig, RobertaConfig
from typer.testing import CliRunner

from semantic_router_lora import Embedder
from semantic_router_lora.adapters import layout
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.cli import app
from semantic_router_lora.errors import (
    AdapterError,
    BaseModelError,
    InputError,
    SemanticRouterLoraError,
)
from semantic_router_lora.export import merged as merging
from semantic_router_lora.export.merged import merge_model

BUNDLED = "multi-domain-cache-lora-L6"
WORDS = "cancel my Order before it ships and give the money back to an old card please".split()
TEXTS = [
    *(" ".join((WORDS * 40)[:count]) for count in (0, 1, 2, 7, 30, 253, 254, 255, 300, 511, 600)),
    "UPPER Case, naïve Größe, 東京, \N{GRINNING FACE}",
    "a\tb\nc\u00a0d\u200be",
    "a [SEP] in the middle",
]
LOADERS = ["Embedder", "HuggingFaceEncoder", "LocalEncoder", "SentenceTransformer", "AutoModel"]


def vectors_by(loader: str, folder: Path) -> np.ndarray:
    if loader == "Embedder":
        return Embedder(str(folder)).encode(TEXTS)
    if loader == "AutoModel":
        return by_transformers(folder)
    if loader == "HuggingFaceEncoder":
        encoder = semantic_router.encoders.HuggingFaceEncoder(name=str(folder), device="cpu")
        return np.array(encoder(TEXTS), dtype=np.float32)
    pytest.importorskip("sentence_transformers")
    if loader == "LocalEncoder":
        if not hasattr(semantic_router.encoders, loader):
            pytest.skip("not in this line of semantic-router")
        encoder = semantic_router.encoders.LocalEncoder(name=str(folder), device="cpu")
        return np.array(encoder(TEXTS), dtype=np.float32)
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu").encode(TEXTS)


def by_transformers(folder: Path, pooling: str = "mean") -> np.ndarray:
    """With nothing but what every user of transformers writes."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder)
    rows = []
    for text in TEXTS:
        with torch.inference_mode():
            hidden = model(**tokenizer(text, truncation=True, return_tensors="pt"))[0][0]
        row = {"mean": hidden.mean(0), "cls": hidden[0], "max": hidden.amax(0)}[pooling]
        rows.append(torch.nn.functional.normalize(row, dim=0).numpy())
    return np.stack(rows)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("merged") / "L6"
    merge_model(BUNDLED, folder)
    return folder


@pytest.fixture(scope="module")
def small_base(complete: Callable[[Path], None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two narrow layers with random weights, and the real tokenizer."""
    folder = tmp_path_factory.mktemp("small")
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
    torch.manual_seed(0)
    model = AutoModel.from_config(BertConfig(vocab_size=30522, num_hidden_layers=2, **sizes))
    model.save_pretrained(folder)
    complete(folder)
    return folder


@pytest.fixture(scope="module")
def small_adapter(make_adapter, small_base: Path) -> Path:
    return make_adapter(base=small_base)


@pytest.fixture
def base(small_base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_base, tmp_path / "base"))


@pytest.fixture
def adapter(small_adapter: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_adapter, tmp_path / "adapter"))


def edit_json(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(content | changes))


def check(base: Path, adapter: Path, **expected: Any) -> Path:
    """Merge, and compare with the embedder what transformers alone makes of it."""
    folder = adapter.parent / "merged"
    merged = merge_model(f"{base}+lora:{adapter}", folder)
    source = Embedder(str(base), str(adapter))
    again = Embedder(str(folder))
    assert (merged.fingerprint, merged.merged_fingerprint) == (
        source.fingerprint,
        again.fingerprint,
    )
    assert (again.max_seq_length, again.pooling) == (source.max_seq_length, source.pooling)
    np.testing.assert_allclose(again.encode(TEXTS), source.encode(TEXTS), atol=1e-5)
    if merged.obstacle is None:
        found = vectors_by("HuggingFaceEncoder", folder)
    elif source.pooling != "mean":
        found = by_transformers(folder, source.pooling)
    else:
        found = source.encode(TEXTS)
    np.testing.assert_allclose(found, source.encode(TEXTS), atol=1e-5)
    for key, value in expected.items():
        assert value in str(getattr(merged, key))
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


@pytest.mark.parametrize("pooling", ["cls", "max"])
def test_other_pooling_is_kept_and_told(base, adapter, pooling):
    flags = {"pooling_mode_mean_tokens": False, f"pooling_mode_{pooling}_tokens": True}
    if pooling == "cls":
        flags = {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
    edit_json(base / "1_Pooling" / "config.json", **flags)
    folder = check(base, adapter, obstacle=f"pools by {pooling}")
    assert "LocalEncoder" in (folder / "README.md").read_text()
    found = vectors_by("SentenceTransformer", folder)
    np.testing.assert_allclose(found, Embedder(str(folder)).encode(TEXTS), atol=1e-5)


def test_a_base_of_plain_transformers(base, adapter):
    """It has no modules.json, and its own weights in half precision."""
    shutil.rmtree(base / "1_Pooling")
    for name in ("modules.json", "sentence_bert_config.json"):
        (base / name).unlink()
    tensors = load_file(base / "model.safetensors")
    half = {k: v.half() for k, v in tensors.items() if "pooler" not in k}
    save_file(half, base / "model.safetensors", metadata={"format": "pt"})
    edit_json(base / "config.json", torch_dtype="float16", auto_map={"AutoModel": "evil.Evil"})
    folder = check(base, adapter, obstacle="None")
    written = load_file(folder / "model.safetensors")
    assert written.keys() == half.keys()  # no pooler of random numbers
    assert {tensor.dtype for tensor in written.values()} == {torch.float32}
    assert "auto_map" not in json.loads((folder / "config.json").read_text())


def test_lower_case_before_a_cased_tokenizer(base, adapter):
    for part in (base, adapter):
        make_cased(part, base)
    edit_json(base / "sentence_bert_config.json", do_lower_case=True)
    folder = check(base, adapter, obstacle="does not lower-case")
    pytest.importorskip("sentence_transformers")
    found = vectors_by("SentenceTransformer", folder)
    # Its releases do not agree on whether "[SEP]" is lower-cased too.
    np.testing.assert_allclose(found[:-1], Embedder(str(folder)).encode(TEXTS[:-1]), atol=1e-5)


def make_cased(folder: Path, source: Path) -> None:
    content = json.loads((source / layout.TOKENIZER).read_text())
    content["normalizer"]["lowercase"] = False
    (folder / layout.TOKENIZER).write_text(json.dumps(content))
    edit_json(folder / layout.TOKENIZER_CONFIG, do_lower_case=False)


def test_the_adapters_own_tokenizer_goes_along(base, adapter):
    make_cased(adapter, base)
    other = Embedder(str(base), str(adapter)).encode(["Upper"])
    assert np.abs(other - Embedder(str(base), str(adapter)).encode(["upper"])).max() > 1e-3
    folder = check(base, adapter, obstacle="None")
    assert not (folder / "vocab.txt").exists()


def test_its_settings_do_not_matter(base, adapter):
    """The embedder takes the adapter's tokenizer.json as it is; transformers would not."""
    make_cased(adapter, base)
    edit_json(
        adapter / layout.TOKENIZER_CONFIG, do_lower_case=True, tokenizer_class="BertTokenizer"
    )
    check(base, adapter, obstacle="None")


def test_an_adapter_that_only_peft_can_merge(base, make_adapter, tmp_path):
    adapter = make_adapter(tmp_path / "dora", base=base, use_dora=True)
    check(base, adapter, obstacle="None")


def test_another_architecture(base_folder, make_adapter, tmp_path):
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = RobertaConfig(
        vocab_size=30522,
        intermediate_size=32,
        max_position_embeddings=66,
        pad_token_id=0,
        **sizes,
    )
    AutoModel.from_config(config).save_pretrained(tmp_path / "base")
    for name in (layout.TOKENIZER, layout.TOKENIZER_CONFIG):
        shutil.copy(base_folder / name, tmp_path / "base" / name)
    adapter = make_adapter(tmp_path / "adapter", base=tmp_path / "base")
    folder = check(tmp_path / "base", adapter, obstacle="None")
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["RobertaModel"]
    assert Embedder(str(folder)).max_seq_length == 65


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


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("output", ["filled", "file", "none/deep", "link"])
def test_outputs_that_are_refused(base, adapter, tmp_path, output):
    (tmp_path / "filled").mkdir()
    (tmp_path / "filled" / "mine").write_text("x")
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "filled")
    before = left(tmp_path)
    with pytest.raises(InputError, match="output"):
        merge_model(f"{base}+lora:{adapter}", tmp_path / output)
    assert left(tmp_path) == before and left(tmp_path / "filled") == ["mine"]


def test_an_empty_folder_is_taken_but_not_one_that_fills_meanwhile(
    base, adapter, tmp_path, monkeypatch
):
    folder = tmp_path / "empty"
    folder.mkdir()
    merge_model(f"{base}+lora:{adapter}", folder)
    assert "model.safetensors" in left(folder)
    taken = tmp_path / "taken"
    taken.mkdir()
    write = merging.write_card

    def meanwhile(*args: Any, **kwargs: Any) -> None:
        (taken / "mine").write_text("x")
        write(*args, **kwargs)

    monkeypatch.setattr(merging, "write_card", meanwhile)
    with pytest.raises(InputError, match="not empty"):
        merge_model(f"{base}+lora:{adapter}", taken)
    assert left(taken) == ["mine"]
    assert left(tmp_path) == ["adapter", "base", "empty", "taken"]


@pytest.mark.parametrize("size", [100, 3_000_000])
def test_a_full_disk_leaves_nothing(base, adapter, tmp_path, size):
    before = left(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        with pytest.raises(InputError, match="cannot be written"):
            merge_model(f"{base}+lora:{adapter}", tmp_path / "merged")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left(tmp_path) == before


def test_what_gives_other_vectors_is_not_kept(base, adapter, tmp_path, monkeypatch):
    write = merging.write_weights

    def shifted(folder: Path, *args: Any) -> None:
        write(folder, *args)
        tensors = load_file(folder / "model.safetensors")
        tensors["encoder.layer.1.output.dense.bias"][0] += 0.001
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    monkeypatch.setattr(merging, "write_weights", shifted)
    with pytest.raises(BaseModelError, match="other vectors"):
        merge_model(f"{base}+lora:{adapter}", tmp_path / "merged")
    assert left(tmp_path) == ["adapter", "base"]


def test_what_only_the_stock_encoder_would_see_is_not_kept(base, adapter, tmp_path, monkeypatch):
    write = merging.write_tokenizer

    def longer(folder: Path, *args: Any, **kwargs: Any) -> None:
        write(folder, *args, **kwargs)
        edit_json(folder / layout.TOKENIZER_CONFIG, model_max_length=512)

    monkeypatch.setattr(merging, "write_tokenizer", longer)
    with pytest.raises(BaseModelError, match="HuggingFaceEncoder"):
        merge_model(f"{base}+lora:{adapter}", tmp_path / "merged")
    assert left(tmp_path) == ["adapter", "base"]


def test_bad_references(base, adapter, tmp_path, twelve_layers):
    output = tmp_path / "merged"
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported" / "export.json").write_text("{}")
    for reference in ("", "no such adapter", str(base), f"{base}+lora:", f"{tmp_path}/exported"):
        with pytest.raises(SemanticRouterLoraError):
            merge_model(reference, output)
    with pytest.raises(AdapterError, match="does not fit"):
        merge_model(f"{twelve_layers}+lora:{adapter}", output)
    tensors = load_file(adapter / layout.WEIGHTS)
    next(iter(tensors.values()))[0] = float("nan")
    save_file(tensors, adapter / layout.WEIGHTS)
    with pytest.raises(AdapterError, match="NaN"):
        merge_model(f"{base}+lora:{adapter}", output)
    assert left(tmp_path) == ["adapter", "base", "exported"]


def test_command_line(adapter, tmp_path):
    """The adapter's configuration names its base."""
    done = CliRunner().invoke(app, ["adapter", "merge", str(adapter), str(tmp_path / "merged")])
    assert done.exit_code == 0, done.output
    assert "HuggingFaceEncoder" in done.output and "fingerprint" in done.output
    again = CliRunner().invoke(app, ["adapter", "merge", str(adapter), str(tmp_path / "merged")])
    assert isinstance(again.exception, InputError) and "not empty" in str(again.exception)
