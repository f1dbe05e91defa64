"""Tokenizers made without transformers are those that it builds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from semantic_router_lora.bert_tokenizer import plain_bert_file
from semantic_router_lora.tokenization import TextTokenizer, load_tokenizer


@pytest.fixture
def copied_base(base_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base_folder, tmp_path / "base"))


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
