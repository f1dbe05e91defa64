"""Adapters that are broken or do not fit their base: a refusal that says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from copied_adapters import edit_weights
from safetensors.torch import load_file

from semantic_router_lora import Embedder
from semantic_router_lora.adapters import layout
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.errors import AdapterError, AdapterFormatError, AdapterMismatchError


def edit_config(folder: Path, **changes: Any) -> None:
    path = folder / layout.CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


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


def of_type(kind: str, size: int) -> Callable[[Path], None]:
    """One tensor of a type that the format has, and PyTorch may lack."""

    def write(folder: Path) -> None:
        header = json.dumps({"a": {"dtype": kind, "shape": [2], "data_offsets": [0, size]}})
        start = len(header).to_bytes(8, "little") + header.encode()
        (folder / layout.WEIGHTS).write_bytes(start + bytes(size))

    return write


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
    "4 bits": (of_type("F4", 1), AdapterFormatError, "F4.*floating point"),
    "8 bits": (of_type("F8_E8M0", 2), AdapterFormatError, "(?i)F8_E8M0.*floating point"),
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
def test_broken_adapters_are_refused_by_name(copied_adapter, kind):
    damage, error, message = BROKEN[kind]
    damage(copied_adapter)
    with pytest.raises(error, match=message):
        Embedder(DEFAULT_BASE, str(copied_adapter))


def test_depths_that_do_not_match(make_adapter, twelve_layers, adapter_folder):
    """peft loads the first without an error and the second with a mere warning."""
    with pytest.raises(AdapterMismatchError, match="24 keys have no place"):
        Embedder(DEFAULT_BASE, str(make_adapter(base=twelve_layers)))
    with pytest.raises(AdapterMismatchError, match="24 places of the base get no weights"):
        Embedder(str(twelve_layers), str(adapter_folder))


def test_a_tokenizer_with_more_tokens_than_the_base_embeds(copied_adapter, base_folder):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(base_folder / layout.TOKENIZER))
    tokenizer.add_tokens(["quux-token"])
    tokenizer.save(str(copied_adapter / layout.TOKENIZER))
    with pytest.raises(AdapterMismatchError, match="token of number 30522"):
        Embedder(DEFAULT_BASE, str(copied_adapter))


@pytest.mark.parametrize(
    "frame",
    [
        {"special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [99_999_999], "tokens": ["[CLS]"]}}},
        {"single": [{"SpecialToken": {"id": "[NOPE]", "type_id": 0}}]},  # a panic of the library
    ],
    ids=["number beyond the embedding", "unknown token"],
)
def test_a_tokenizer_that_cannot_work_is_refused(copied_adapter, base_folder, frame):
    content = json.loads((base_folder / layout.TOKENIZER).read_text(encoding="utf-8"))
    own = content["post_processor"]
    for key, value in frame.items():
        own[key] = {**own[key], **value} if isinstance(value, dict) else value
    (copied_adapter / layout.TOKENIZER).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(AdapterError):
        Embedder(adapter=str(copied_adapter))
