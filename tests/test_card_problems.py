"""Cards and folders that do not agree, and files that are broken: each is found and named."""

from __future__ import annotations

import json
import os
import shutil
import time

import pytest
from cards import NAME, edit, rewrite

from semantic_router_lora.adapters.resolve import resolve_adapter
from semantic_router_lora.card import card_problems, write_card
from semantic_router_lora.card.markdown import sections
from semantic_router_lora.errors import AdapterFormatError, DataError

HUGE = 10**400  # JSON has no largest number
TAMPERED = [
    ("| law | law-cache-lora-L6 | 0.072 ", "| law | law-cache-lora-L6 | 0.172 ", "'Measured'"),
    ("| law | 0.972 | 0.110 ", "| law | 0.972 | 0.010 ", "'Thresholds'"),
    ("too few triplets", "kept", "'Thresholds'"),
    ("value: 0.072", "value: 0.572", "model-index"),
    ("37\u00a0% (43", "7\u00a0% (43", "'Limits and known failures'"),
    ("| negation: the opposite | 161 | 0.46", "| negation: the opposite | 161 | 0.86", "'Limits"),
    ("1,008 rows", "100,800 rows", "'Training data'"),
    ("`83b559371c9f", "`93b559371c9f", "'Training data'"),
    ("63 steps in 2 min", "63 steps in 1 min", "'Training'"),
    ("alpha 4.8", "alpha 8", "'Adapter'"),
    ("Embedder(adapter=", "Embedder(adapter='evil/' +", "'Use'"),
    ("| law, negation | My fit note", "| law, negation | My own words", "is no row of law.dev"),
    ("\n## Citation\n", "\n## Cited\n", "section 'Citation' is missing"),
    ("\n## Training\n", "\n## Measured\n\nmargin 0.9\n\n## Training\n", "'Measured' is not one of"),
    ("\n## Citation\n", "\n### Really measured\n\n0.99\n\n## Citation\n", "'Training'"),
    ("A LoRA adapter (165,888", "The best LoRA adapter (165,888", "the introduction"),
    (
        "base_model: sentence-transformers/all-MiniLM-L6-v2",
        "base_model: a/b",
        "base_model is 'a/b'",
    ),
    ("base_model_relation: adapter", "base_model_relation: merge", "base_model_relation"),
    ("library_name: peft\n", "", "library_name"),
    ("license: apache-2.0", "license: apache", "licence 'apache' is no identifier"),
    ("license: apache-2.0\n", "", "no licence is stated"),
    ("license: apache-2.0", "license: other", "needs --license-name"),
    ("- en\n", "- english\n", "language 'english'"),
    ("language:\n- en\n", "language: no\n", "the language is not stated"),
    ("author: The authors of semantic-router-lora\n", "", "nobody to cite"),
    ("    semantic-router-lora: apache", "    other: apache", "licence of the training rows from"),
    ("reference: law-cache", "reference: medical-cache", "has other weights"),
    ("reference: law-cache-lora-L6", "reference: ../../etc", "not written by this package"),
    ("  - task:", "  - {}\n  - task:", "metadata is not valid"),
    ("model-index:", "x: [&a 1, *a]\nmodel-index:", "YAML aliases"),
    ("model-index:", "x: " + "[" * 2000 + "\nmodel-index:", "metadata is"),
    ("model-index:", "1: x\nmodel-index:", "metadata is not valid"),
    ("tags:\n", "tags: 5\nother:\n", "metadata is not valid"),
    ("\n## Notes\n", "\n## Notes\n\n| Domain | Margin |\n|---|---|\n", "notes are paragraphs"),
    ("\n## Notes\n", "\n## Notes\n\n<h2>Measured</h2>\n", "notes are paragraphs"),
]


@pytest.mark.parametrize(("old", "new", "reason"), TAMPERED)
def test_what_was_tampered_with_is_found(law_folder, old, new, reason):
    rewrite(law_folder, old, new)
    problems = card_problems(law_folder)
    assert any(reason in problem for problem in problems), problems


def test_files_that_changed_under_the_card_are_found(law_folder):
    weights = law_folder / "adapter_model.safetensors"
    shutil.copy(resolve_adapter("medical-cache-lora-L6").folder / weights.name, weights)
    problems = " ".join(card_problems(law_folder))
    assert "section 'Adapter'" in problems
    assert "has other weights" in problems
    with pytest.raises(DataError, match="was measured with an encoder of fingerprint"):
        write_card(law_folder)
    edit(law_folder, "adapter_config.json", lambda c: c.update(base_model_name_or_path="a/other"))
    problems = " ".join(card_problems(law_folder))
    assert "base_model is 'sentence-transformers/all-MiniLM-L6-v2', but by" in problems
    assert "adapter_config.json names the base 'a/other', training_info.json" in problems
    (law_folder / "evaluation_results.json").unlink()
    assert any("there is no evaluation_results.json" in p for p in card_problems(law_folder))
    (law_folder / "README.md").unlink()
    assert "there is no README.md" in card_problems(law_folder)[0]


def test_a_line_of_spaces_is_read_at_once():
    heading = f"x{' ' * 50_000}y"
    started = time.monotonic()
    found = sections(f"## {heading}\ntext\n## Next  \nmore")
    assert found == [("", ""), (heading, "text"), ("Next", "more")]
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("value", [None, 5, "x", [], [[]], {"a": []}, float("nan"), -1, True, HUGE])
def test_records_of_another_type_are_problems_and_no_errors(law_folder, value):
    info = law_folder / "training_info.json"
    before = json.loads(info.read_text())
    for change in (
        lambda content: content.update(dict.fromkeys(content, value)),
        lambda content: content["data"].update(dict.fromkeys(content["data"], value)),
        lambda content: content["recipe"].update(dict.fromkeys(content["recipe"], value)),
        lambda content: content.update(hardware=dict.fromkeys(content["hardware"], value)),
    ):
        info.write_text(json.dumps(before))
        edit(law_folder, info.name, change)
        assert card_problems(law_folder)
    info.write_text(json.dumps(before))
    config = law_folder / "adapter_config.json"
    settings = json.loads(config.read_text())
    for key in ("r", "lora_alpha", "target_modules", "use_rslora", "revision"):
        config.write_text(json.dumps(settings | {key: value, "use_dora": value}))
        assert isinstance(card_problems(law_folder), list)
    config.write_text(json.dumps(settings))
    results = law_folder / "evaluation_results.json"
    measured = json.loads(results.read_text())
    figures = measured["suites"][0]["figures"][NAME]
    for place in (measured, measured["suites"][0], figures, figures["margin"]):
        for key in place:
            kept, place[key] = place[key], value
            results.write_text(json.dumps(measured))
            place[key] = kept
            assert isinstance(card_problems(law_folder), list)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("evaluation_results.json", "[" * 100_000),
        ("evaluation_results.json", "{"),
        ("training_info.json", "[]"),
        ("training_history.json", "{"),
        ("README.md", "---\na: [\n---\n"),
        ("README.md", ""),
        ("README.md", "---\nlicense: mit\n---\n# Mine\n"),
        ("README.md", "x" * 600_000),
        ("README.md", b"\xff\xfe"),
    ],
)
def test_broken_files_are_problems(law_folder, name, content):
    path = law_folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        problems = card_problems(law_folder)
    except AdapterFormatError as error:
        problems = [str(error)]
    assert problems
    assert all("\n" not in problem[:60] for problem in problems)


def test_links_and_pipes_are_refused_unread(law_folder, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("---\nlicense: mit\n---\n")
    card = law_folder / "README.md"
    card.unlink()
    card.symlink_to(secret)
    for call in (card_problems, write_card):
        with pytest.raises(AdapterFormatError, match=r"README\.md is no regular file"):
            call(law_folder)
    assert secret.read_text().startswith("---")
    card.unlink()
    os.mkfifo(law_folder / "pipe")
    (law_folder / "pipe").rename(law_folder / "training_info.json")
    with pytest.raises(AdapterFormatError, match=r"training_info\.json is no regular file"):
        card_problems(law_folder)
