"""Cards of adapters: written from the folder's files, and what a person says is kept."""

from __future__ import annotations

import json
import re

import pytest
from cards import NAME, card_of, dev_file, edit, rewrite, section
from huggingface_hub import ModelCard
from typer.testing import CliRunner

from semantic_router_lora import Embedder
from semantic_router_lora.adapters.resolve import bundled_adapters, resolve_adapter
from semantic_router_lora.benchmark.suite import load_suites
from semantic_router_lora.card import card_problems, write_card
from semantic_router_lora.card.examples import examples_in
from semantic_router_lora.card.markdown import cells, paragraph, plain, sections, unescaped
from semantic_router_lora.card.stated import Stated, stated_problems
from semantic_router_lora.cli import app
from semantic_router_lora.errors import AdapterFormatError, InputError

SAID = Stated(
    license="mit",
    language=("en", "de"),
    author="A. Person",
    sources={"semantic-router-lora": "apache-2.0"},
)


@pytest.mark.parametrize("name", bundled_adapters())
def test_bundled_cards_are_complete_and_true(name):
    assert card_problems(resolve_adapter(name).folder) == []


def test_command_writes_the_committed_card_again(law_folder):
    committed = card_of(law_folder)
    ran = CliRunner().invoke(app, ["adapter", "card", str(law_folder)])
    assert ran.exit_code == 0, ran.output
    assert card_of(law_folder) == committed
    assert "Incomplete" not in ran.output
    assert card_problems(law_folder, remeasure=True) == []


def test_metadata_is_what_the_hub_reads(law_folder):
    card = ModelCard.load(law_folder / "README.md")
    data = card.data
    assert (data.library_name, data.pipeline_tag) == ("peft", "sentence-similarity")
    assert data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    assert data.base_model_relation == "adapter"
    assert (data.license, data.language, data.model_name) == ("apache-2.0", ["en"], NAME)
    measured = json.loads((law_folder / "evaluation_results.json").read_text())
    assert len(data.eval_results) == 3 * len(measured["suites"])
    for result in data.eval_results:
        (suite,) = (s for s in measured["suites"] if s["domain"] == result.dataset_config)
        assert result.metric_value == suite["figures"][NAME][result.metric_type]["value"]
        assert result.dataset_type == suite["source"]
    assert ModelCard(str(card)).data.to_dict() == data.to_dict()


def test_examples_are_measured_failures_on_dev_and_never_of_test(law_folder):
    examples = examples_in(section(law_folder, "Limits and known failures"))
    assert len(examples) == 6
    (dev,) = (suite for suite in load_suites(["bundled:dev"]) if suite.domain == "law")
    rows = {triplet.texts: triplet.trap for triplet in dev.triplets}
    embedder = Embedder(adapter=str(law_folder))
    for example in examples:
        assert example.kind == f"law, {rows[example.texts]}"
        anchor, positive, negative = embedder.encode(list(example.texts))
        assert example.positive_cosine == f"{anchor @ positive:.2f}"
        assert example.negative_cosine == f"{anchor @ negative:.2f}"
        assert anchor @ negative > anchor @ positive
    test = {text for suite in load_suites(["bundled"]) for t in suite.triplets for text in t.texts}
    assert not test & {text for example in examples for text in example.texts}


def test_budgets_are_called_kept_only_where_the_whole_interval_is_within(law_folder):
    def verdicts(low, high, triplets=200, recall=0.07):
        def change(results):
            for suite in results["suites"]:
                suite["triplets"] = triplets
                served = suite["figures"][NAME]["false_hit_rate"]
                served |= {"value": low, "low": low, "high": high}
                suite["figures"][NAME]["recall"]["value"] = recall

        edit(law_folder, "evaluation_results.json", change)
        (problem,) = (p for p in card_problems(law_folder) if p.startswith("section 'Thresholds'"))
        assert "should be" in problem
        write_card(law_folder, dev=[dev_file(law_folder.parent)])
        table = section(law_folder, "Thresholds")
        (row,) = (line for line in table.splitlines() if line.startswith("| law "))
        return cells(row)[-4:], "No threshold is shown" in table

    few, none, kept = "too few triplets", "not shown", "kept"
    assert verdicts(0.01, 0.051) == ([few, none, kept, kept], True)
    assert verdicts(0.01, 0.049) == ([few, kept, kept, kept], False)
    assert verdicts(0.0, 0.009, triplets=381) == ([kept] * 4, False)
    assert verdicts(0.0, 0.04, recall=0.0) == ([few, *["serves none"] * 3], True)
    assert verdicts(0.1, 0.2, triplets=20) == ([few, few, few, kept], True)


def test_the_card_says_how_often_a_file_is_passed_over(law_folder):
    def repeat(info):
        info["recipe"]["train"][0]["repeat"] = 2

    assert "| law.jsonl | training |" in section(law_folder, "Training data")
    edit(law_folder, "training_info.json", repeat)
    write_card(law_folder)
    assert "| law.jsonl | training, 2 times an epoch |" in section(law_folder, "Training data")


def test_texts_of_others_stay_texts(law_folder):
    hostile = "x](javascript:alert(1)) | <img src=x>\n## Measured\n\n`code`"
    edit(law_folder, "training_info.json", lambda info: info.update(python=hostile))
    write_card(law_folder, Stated(author=hostile, sources={"semantic-router-lora": hostile}))
    body = ModelCard.load(law_folder / "README.md").text
    assert [heading for heading, _ in sections(body)].count("Measured") == 1
    assert not re.search(r"(?<!\\)<img|(?<!\\)\]\(java", body)
    assert card_problems(law_folder) == []
    edit(
        law_folder,
        "adapter_config.json",
        lambda c: c.update(base_model_name_or_path="a\n## Measured"),
    )
    with pytest.raises(AdapterFormatError, match="base_model_name_or_path"):
        card_problems(law_folder)
    assert unescaped(plain("a|b `c` [d](e) \\ <f>")) == "a|b `c` [d](e) \\ <f>"
    assert cells("| a \\| b | c |") == ["a \\| b", "c"]
    assert paragraph("x" * 99 + " - y") == "x" * 99 + " - y"


def test_a_person_is_asked_for_the_licence_and_then_not_again(law_folder, tmp_path):
    (law_folder / "README.md").unlink()
    ran = CliRunner().invoke(app, ["adapter", "card", str(law_folder)])
    assert isinstance(ran.exception, InputError)
    assert "--license" in str(ran.exception)
    assert not (law_folder / "README.md").exists()
    notes = tmp_path / "notes.md"
    notes.write_text("- A first point.\n- A second one.\n")
    write_card(law_folder, Stated(**(vars(SAID) | {"notes": notes.read_text()})))
    first = card_of(law_folder)
    assert write_card(law_folder) == law_folder / "README.md"
    assert card_of(law_folder) == first
    assert section(law_folder, "Notes") == notes.read_text().strip()
    rewrite(law_folder, "- lora\n", "- lora\n- own-tag\n")
    rewrite(law_folder, "pipeline_tag:", "extra_gated_prompt: Say who you are\npipeline_tag:")
    assert card_problems(law_folder) == []
    more = Stated(license="other", license_name="House", license_link="LICENSE", sources={"x": "y"})
    write_card(law_folder, more)
    data = ModelCard.load(law_folder / "README.md").data
    assert (data.license, data.license_name, data.license_link) == ("other", "House", "LICENSE")
    assert data.language == ["en", "de"]
    assert data.extra_gated_prompt == "Say who you are"
    assert "own-tag" in data.tags
    assert data.semantic_router_lora["sources"] == {"semantic-router-lora": "apache-2.0", "x": "y"}
    assert card_problems(law_folder) == []


def test_a_card_written_by_hand_is_not_lost(law_folder):
    card = law_folder / "README.md"
    card.write_text("---\nlicense: mit\nlanguage: en\n---\n# Mine\n\nWritten with care.\n")
    before = card.read_bytes()
    with pytest.raises(InputError, match="--overwrite"):
        write_card(law_folder)
    assert card.read_bytes() == before
    write_card(law_folder, overwrite=True, dev=[dev_file(law_folder.parent)])
    data = ModelCard.load(card).data
    assert (data.license, data.language) == ("mit", ["en"])
    assert not list(law_folder.glob("*.part"))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Stated(license="Apache"), "no identifier of the Hub"),
        (Stated(license="other", license_name="x"), "--license-link"),
        (Stated(license="mit", license_link="javascript:alert(1)"), "licence link"),
        (Stated(license="mit", language=("EN",)), "ISO 639"),
        (Stated(license="mit", datasets=("squad v2",)), "--dataset"),
        (Stated(license="mit", repo_id="../up"), "--repo-id"),
        (Stated(license="mit", repo_id="a/b@main"), "--repo-id"),
        (Stated(license="mit", author="x" * 501), "longer than"),
        (Stated(license="mit", notes="## Measured\n\nall is well"), "notes"),
        (Stated(license="mit", notes="a\n====\n"), "notes"),
    ],
)
def test_what_the_hub_would_not_take_is_refused(law_folder, said, reason):
    before = card_of(law_folder)
    with pytest.raises(InputError, match=reason):
        write_card(law_folder, said)
    assert card_of(law_folder) == before
    assert stated_problems(Stated(license="mit", language=("no", "gsw", "code"))) == []


def test_examples_of_a_file_of_ones_own(law_folder, tmp_path):
    rows = [
        {
            "anchor": "convert a dict to a list",
            "positive": "dict into list: how is it done?",
            "negative": "convert a list to a dict",
        },
        {"anchor": "a cat", "positive": "a cat", "negative": "the theory of the firm"},
    ]
    dev = tmp_path / "mine.jsonl"
    dev.write_text("".join(json.dumps(row) + "\n" for row in rows))
    edit(
        law_folder,
        "evaluation_results.json",
        lambda r: [s.update(traps={}, trap_counts={}) for s in r["suites"]],
    )
    write_card(law_folder, dev=[str(dev)])
    (example,) = examples_in(section(law_folder, "Limits and known failures"))
    assert (example.kind, example.negative) == ("mine", "convert a list to a dict")
