"""Adapters of others: the vectors that peft gives, or a refusal that says why."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer

from semantic_router_lora import Embedder
from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.resolve import bundled_adapters, resolve_adapter
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.errors import (
    AdapterError,
    AdapterFormatError,
    AdapterMismatchError,
    BaseModelError,
)

TEXTS = ["symptoms of diabetes", "treatment of diabetes, in short please", ""]
ALL_LINEAR = ["query", "key", "value", "dense"]


def peft_vectors(base: Path, adapter: Path, max_length: int = 256) -> np.ndarray:
    """What plain peft gives, unmerged, one text at a time."""
    from peft import PeftModel

    model = PeftModel.from_pretrained(
        AutoModel.from_pretrained(base, dtype=torch.float32), str(adapter)
    ).eval()
    tokenizer = AutoTokenizer.from_pretrained(base)
    rows = []
    for text in TEXTS:
        inputs = tokenizer(text, truncation=True, max_length=max_length, return_tensors="pt")
        inputs.pop("token_type_ids", None)
        with torch.no_grad():
            rows.append(model(**inputs)[0][0].mean(dim=0))
    return torch.nn.functional.normalize(torch.stack(rows), dim=1).numpy()


@pytest.mark.parametrize(
    "settings",
    [
        {"use_rslora": True},
        {"rank_pattern": {"layer.0.attention.self.query": 4}, "alpha_pattern": {"value": 40}},
        {"bias": "all"},
        {"bias": "lora_only"},
        {"lora_bias": True},
        {"use_dora": True},
        {"target_modules": ALL_LINEAR, "r": 4},
        {"target_modules": "all-linear", "r": 2},
        {"target_modules": r".*layer\.[0-2]\..*query"},
        {"layers_to_transform": [1, 3]},
        {"modules_to_save": ["pooler"]},
        {"exclude_modules": ["value"]},
        {"lora_alpha": 32, "init_lora_weights": "gaussian"},
    ],
    ids=str,
)
def test_any_lora_of_peft_gives_pefts_vectors(make_adapter, base_folder, settings):
    folder = make_adapter(**settings)
    ours = Embedder(DEFAULT_BASE, str(folder)).encode(TEXTS)
    np.testing.assert_allclose(ours, peft_vectors(base_folder, folder), atol=2e-6)
    assert np.abs(ours - Embedder(DEFAULT_BASE).encode(TEXTS)).max() > 1e-3


@pytest.fixture
def copied(adapter_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(adapter_folder, tmp_path / "copied"))


def edit_config(folder: Path, **changes: Any) -> None:
    path = folder / layout.CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_weights(folder: Path, change: Callable[[str, torch.Tensor], torch.Tensor | None]) -> None:
    tensors = {key: change(key, value) for key, value in load_file(folder / layout.WEIGHTS).items()}
    save_file({k: v for k, v in tensors.items() if v is not None}, folder / layout.WEIGHTS)


def test_half_precision_weights(copied, base_folder):
    edit_weights(copied, lambda _, tensor: tensor.half())
    ours = Embedder(DEFAULT_BASE, str(copied)).encode(TEXTS)
    np.testing.assert_allclose(ours, peft_vectors(base_folder, copied), atol=2e-6)


def test_a_tokenizer_of_its_own_is_used(copied, base_folder):
    from tokenizers import Tokenizer, normalizers

    plain = Embedder(DEFAULT_BASE, str(copied))
    tokenizer = Tokenizer.from_file(str(base_folder / layout.TOKENIZER))
    tokenizer.save(str(copied / layout.TOKENIZER))
    same = Embedder(DEFAULT_BASE, str(copied))
    np.testing.assert_allclose(same.encode(TEXTS), plain.encode(TEXTS), atol=1e-6)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace("diabetes", "asthma"), tokenizer.normalizer]
    )
    tokenizer.save(str(copied / layout.TOKENIZER))
    own = Embedder(DEFAULT_BASE, str(copied))
    assert own.fingerprint != same.fingerprint
    np.testing.assert_allclose(
        own.encode(["symptoms of diabetes"]), plain.encode(["symptoms of asthma"]), atol=1e-6
    )


def test_a_tokenizer_with_more_tokens_than_the_base_embeds(copied, base_folder):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(base_folder / layout.TOKENIZER))
    tokenizer.add_tokens(["quux-token"])
    tokenizer.save(str(copied / layout.TOKENIZER))
    with pytest.raises(AdapterMismatchError, match="token of number 30522"):
        Embedder(DEFAULT_BASE, str(copied))


def line_endings_filtered(folder: Path) -> None:
    """What a `* text eol=lf` rule does to a binary file, as seen on a published adapter."""
    path = folder / layout.WEIGHTS
    edit_weights(folder, lambda _, t: t.view(torch.uint8).fill_(13).view(torch.float32).clone())
    data = bytearray(path.read_bytes())
    data[-100:-98] = b"\r\n"
    path.write_bytes(bytes(data).replace(b"\r\n", b"\n"))


def cut_short(folder: Path) -> None:
    path = folder / layout.WEIGHTS
    path.write_bytes(path.read_bytes()[:1000])


def as_pickle(folder: Path) -> None:
    torch.save(load_file(folder / layout.WEIGHTS), folder / "adapter_model.bin")
    (folder / layout.WEIGHTS).unlink()


def nan_in_one_place(folder: Path) -> None:
    def spoil(key: str, tensor: torch.Tensor) -> torch.Tensor:
        if key.endswith("layer.3.attention.self.value.lora_B.weight"):
            tensor[0, 0] = float("nan")
        return tensor

    edit_weights(folder, spoil)


BROKEN: dict[str, tuple[Callable[[Path], None], type[AdapterError], str]] = {
    "no config": (lambda f: (f / layout.CONFIG).unlink(), AdapterFormatError, "no adapter_config"),
    "no weights": (lambda f: (f / layout.WEIGHTS).unlink(), AdapterFormatError, "no adapter_model"),
    "pickle": (as_pickle, AdapterFormatError, "can run code"),
    "cut short": (cut_short, AdapterFormatError, "corrupt or cut short"),
    "line endings": (line_endings_filtered, AdapterFormatError, "corrupt or cut short"),
    "NaN": (nan_in_one_place, AdapterFormatError, "layer.3.*NaN or infinite"),
    "integers": (
        lambda f: edit_weights(f, lambda _, t: t.to(torch.int32)),
        AdapterFormatError,
        "floating point",
    ),
    "config is a list": (
        lambda f: (f / layout.CONFIG).write_text("[]"),
        AdapterFormatError,
        "no JSON object",
    ),
    "config is no JSON": (
        lambda f: (f / layout.CONFIG).write_text("{"),
        AdapterFormatError,
        "not valid JSON",
    ),
    "config is huge": (
        lambda f: (f / layout.CONFIG).write_text(json.dumps({"x": "y" * 2_000_000})),
        AdapterFormatError,
        "larger than a megabyte",
    ),
    "config is a deep nest": (
        lambda f: (f / layout.CONFIG).write_text("[" * 200_000),
        AdapterFormatError,
        "not valid JSON",
    ),
    "another method": (
        lambda f: edit_config(f, peft_type="IA3"),
        AdapterFormatError,
        "'IA3'; only LORA",
    ),
    "pissa": (
        lambda f: edit_config(f, init_lora_weights="pissa_niter_4"),
        AdapterFormatError,
        "changes the base's own weights",
    ),
    "unknown setting": (
        lambda f: edit_config(f, use_future_trick=True),
        AdapterFormatError,
        "use_future_trick=True, which is not supported",
    ),
    "layer replication": (
        lambda f: edit_config(f, layer_replication=[[0, 3], [2, 5]]),
        AdapterFormatError,
        "layer_replication",
    ),
    "huge rank": (lambda f: edit_config(f, r=10**9), AdapterFormatError, "rank"),
    "negative rank": (lambda f: edit_config(f, r=-1), AdapterFormatError, "rank"),
    "alpha of text": (lambda f: edit_config(f, lora_alpha="16"), AdapterFormatError, "lora_alpha"),
    "rank does not fit weights": (
        lambda f: edit_config(f, r=4),
        AdapterMismatchError,
        "shapes differ",
    ),
    "modules of another architecture": (
        lambda f: edit_config(f, target_modules=["q_proj", "v_proj"]),
        AdapterMismatchError,
        "dense, key, query, value",
    ),
    "one target too many": (
        lambda f: edit_config(f, target_modules=["query", "value", "key"]),
        AdapterMismatchError,
        "get no weights",
    ),
    "one key missing": (
        lambda f: edit_weights(f, lambda k, t: None if "layer.5" in k and "lora_A" in k else t),
        AdapterMismatchError,
        "2 places of the base get no weights",
    ),
    "zero B": (
        lambda f: edit_weights(f, lambda k, t: t * 0 if "lora_B" in k else t),
        AdapterMismatchError,
        "changes nothing",
    ),
    "trained on other weights": (
        lambda f: (f / layout.TRAINING_INFO).write_text(json.dumps({"base_model_sha256": "00"})),
        AdapterMismatchError,
        "SHA-256 00",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_adapters_are_refused_by_name(copied, kind):
    damage, error, message = BROKEN[kind]
    damage(copied)
    with pytest.raises(error, match=message):
        Embedder(DEFAULT_BASE, str(copied))


def test_twelve_layers(make_adapter, twelve_layers):
    folder = make_adapter(base=twelve_layers, lora_alpha=32)
    assert sum(t.numel() for t in load_file(folder / layout.WEIGHTS).values()) == 147_456
    embedder = Embedder(adapter=str(folder))
    np.testing.assert_allclose(
        embedder.encode(TEXTS), peft_vectors(twelve_layers, folder), atol=2e-6
    )


def test_depths_that_do_not_match(make_adapter, twelve_layers, adapter_folder):
    """peft loads the first without an error and the second with a mere warning."""
    with pytest.raises(AdapterMismatchError, match="24 keys have no place"):
        Embedder(DEFAULT_BASE, str(make_adapter(base=twelve_layers)))
    with pytest.raises(AdapterMismatchError, match="24 places of the base get no weights"):
        Embedder(str(twelve_layers), str(adapter_folder))


def test_bundled_adapters_load_and_change_the_base():
    names = bundled_adapters()
    assert "multi-domain-cache-lora-L6" in names
    plain = Embedder(DEFAULT_BASE).encode(TEXTS)
    for name in names:
        folder = resolve_adapter(name).folder
        expected = {*layout.FILES, layout.TRAINING_PLOT}
        assert {path.name for path in folder.iterdir()} == expected
        assert (folder / layout.WEIGHTS).stat().st_size <= 700_000
        embedder = Embedder(adapter=name)
        assert embedder.reference == f"{DEFAULT_BASE}+lora:{name}"
        assert np.abs(embedder.encode(TEXTS) - plain).max() > 1e-3


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
    "frame",
    [
        {"special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [99_999_999], "tokens": ["[CLS]"]}}},
        {"single": [{"SpecialToken": {"id": "[NOPE]", "type_id": 0}}]},  # a panic of the library
    ],
    ids=["number beyond the embedding", "unknown token"],
)
def test_a_tokenizer_that_cannot_work_is_refused(copied, base_folder, frame):
    content = json.loads((base_folder / layout.TOKENIZER).read_text(encoding="utf-8"))
    own = content["post_processor"]
    for key, value in frame.items():
        own[key] = {**own[key], **value} if isinstance(value, dict) else value
    (copied / layout.TOKENIZER).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(AdapterError):
        Embedder(adapter=str(copied))
