"""Which tokenizers are refused, and that huge texts keep the tokens of their beginnings."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from semantic_router_lora import Embedder
from semantic_router_lora.errors import AdapterFormatError, BaseModelError
from semantic_router_lora.tokenization import TextTokenizer, load_tokenizer


@pytest.fixture
def copied_base(base_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base_folder, tmp_path / "base"))


def edit(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | changes), encoding="utf-8")


LEFT = {"direction": "Left", "max_length": 128, "strategy": "LongestFirst", "stride": 0}


@pytest.mark.parametrize(
    ("file", "settings"),
    [
        ("tokenizer_config.json", {"truncation_side": "left"}),
        ("tokenizer.json", {"truncation": LEFT}),
    ],
)
@pytest.mark.parametrize("engine", ["packed", "transformers"])
def test_a_tokenizer_that_keeps_the_ends_of_texts_is_refused(copied_base, file, settings, engine):
    edit(copied_base / file, **settings)
    with pytest.raises(BaseModelError, match="cuts long texts at the left"):
        Embedder(str(copied_base), engine=engine)


@pytest.mark.parametrize("engine", ["packed", "transformers"])
def test_a_tokenizer_without_a_token_for_an_empty_text_is_refused(law_folder, base_folder, engine):
    edit(law_folder / "tokenizer.json", post_processor=None)
    with pytest.raises(AdapterFormatError, match=r"own tokenizer.*no token for an empty text"):
        Embedder(str(base_folder), str(law_folder), engine=engine)
    with pytest.raises(BaseModelError, match="no token for an empty text"):
        load_tokenizer(
            law_folder / "tokenizer.json", lower_case=False, max_length=16, positions=512
        )


def loaded(base_folder: Path, most: int) -> TextTokenizer:
    return load_tokenizer(base_folder, lower_case=False, max_length=most, positions=512)


def test_huge_texts_without_white_space_have_the_tokens_of_their_beginnings(base_folder):
    tokenizer = loaded(base_folder, 16)
    size = 16 * 32  # where a cut is tried first
    pieces = [
        "\u4e2d",
        "\u00a0ab",
        "e\u0301-",
        "it's.",
        "12,345",
        "[SEP]a/",
        "\u0130x!",
        "x" * 90 + "/",
    ]
    for piece in pieces:
        text = piece * (4 * size)
        assert tokenizer._head(text) != text
        assert tokenizer([text])[0] == tokenizer._tokenizer.encode(text).ids
    for shift in range(12):  # a special token, and a word, over the place of the cut
        for piece in ("[SEP]", "word"):
            text = "." * (size - shift) + piece * size
            assert tokenizer([text])[0] == tokenizer._tokenizer.encode(text).ids
            text = "x" * (size - shift) + "." + piece * size
            assert tokenizer([text])[0] == tokenizer._tokenizer.encode(text).ids


@pytest.mark.parametrize("text", ["a", " ", "\u4e2d", "e\u0301", "\u200b"])
def test_no_huge_text_takes_long(base_folder, text):
    tokenizer = loaded(base_folder, 256)
    start = time.process_time()
    tokenizer([text * 20_000_000])
    assert time.process_time() - start < 5  # ten seconds and more, if all of it is tokenised


def test_beyond_4096_characters_a_token_nothing_counts(base_folder):
    tokenizer = loaded(base_folder, 16)
    most = 16 * 4096
    spaces = " " * (most - 5)
    assert tokenizer([spaces + "hello"]) == tokenizer(["hello"])
    assert tokenizer([spaces + "hello world"]) == tokenizer(["hello"])
