"""`adapter check`: training data against the texts of the suites."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from check_outcomes import NAME, statuses

from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.resolve import resolve_adapter
from semantic_router_lora.base_models import file_sha256
from semantic_router_lora.benchmark.suite import bundled_file, load_suites
from semantic_router_lora.checking import check_adapter
from semantic_router_lora.checking.suite_texts import SuiteTexts
from semantic_router_lora.errors import DataError


def text_of(split: str, domain: str, words: int) -> str:
    """A text of a suite that has at least so many words."""
    suite = next(s for s in load_suites([f"bundled:{split}"]) if s.domain == domain)
    return next(t.positive for t in suite.triplets if len(t.positive.split()) >= words)


def contamination(tmp_path: Path, *texts: str, **row: Any) -> tuple[str, str]:
    path = tmp_path / "train.jsonl"
    rows = [{"anchor": text, "positive": f"quite another matter {text[:2]}"} for text in texts]
    path.write_text("".join(json.dumps(content) + "\n" for content in [*rows, row] if content))
    (tmp_path / "empty").mkdir(exist_ok=True)
    return statuses(check_adapter(tmp_path / "empty", data=[path]))["contamination"]


def test_texts_of_the_test_suites_fail(tmp_path):
    text = text_of("test", "law", 14)
    for own in (
        text,
        text.upper() + " ?",
        f"Good day to you all, this is a question of mine. {text} Thanks!",
        " ".join([*text.split(), "please"]),
        " ".join(f"{word[:1]}\u200b{word[1:]}" for word in [*text.split(), "please"]),
    ):
        status, message = contamination(tmp_path, "nothing of the kind", own)
        assert status == "fail", own
        assert message.startswith(
            "texts of 1 rows of the test suites were trained on:\ntrain.jsonl:2 "
        )
        assert "a text of test (law, row" in message
    status, message = contamination(tmp_path, a="unlike", b=text, label=0)
    assert status == "fail"


def test_texts_of_dev_and_common_phrases_are_remarked(tmp_path):
    assert contamination(tmp_path, text_of("dev", "general", 6))[0] == "warn"
    words = text_of("test", "law", 20).split()
    status, message = contamination(tmp_path, " ".join(["and", "so", *words[:9]]))
    assert status == "warn"
    assert "runs of 8 words" in message


def test_own_texts_pass(tmp_path):
    status, message = contamination(tmp_path, "who may open my mail", "how long does a claim last")
    assert status == "pass"
    assert "none of 4 texts" in message


def test_training_data_that_are_not_the_recorded_ones(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text('{"anchor": "who may open my mail", "positive": "x"}\n')
    folder = resolve_adapter(NAME).folder
    status, message = statuses(check_adapter(folder, data=[path], rerun=False))["contamination"]
    assert status == "warn"
    assert "psychology.jsonl, which was not given" in message


def test_a_test_suite_in_the_record_fails_without_the_data(tmp_path):
    shutil.copytree(resolve_adapter(NAME).folder, tmp_path / NAME)
    path = tmp_path / NAME / layout.TRAINING_INFO
    info = json.loads(path.read_text())
    info["data"]["sha256"]["mine.jsonl"] = file_sha256(bundled_file("law", "test"))
    path.write_text(json.dumps(info))
    status, message = statuses(check_adapter(tmp_path / NAME, rerun=False))["contamination"]
    assert status == "fail"
    assert "records mine.jsonl, which is the test suite law.test.jsonl" in message


def test_broken_training_data_are_the_callers(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text("{")
    with pytest.raises(DataError, match=r"train\.jsonl:1"):
        check_adapter(resolve_adapter(NAME).folder, data=[path], rerun=False)


def test_the_texts_of_a_suite_are_found_in_it_and_no_others():
    law, medical = (s for s in load_suites(["bundled"]) if s.domain in ("law", "medical"))
    index = SuiteTexts([law])
    assert all(index.like(text) for triplet in law.triplets for text in triplet.texts)
    assert not any(index.like(text) for triplet in medical.triplets for text in triplet.texts)
