"""Cards of adapters: written from the folder's files, held against them, and their code runs."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil

import numpy as np
import pytest
import semantic_router
from huggingface_hub import ModelCard, constants
from typer.testing import CliRunner

from semantic_router_lora import Embedder
from semantic_router_lora.adapters.resolve import bundled_adapters, resolve_adapter
from semantic_router_lora.benchmark.suite import load_suites
from semantic_router_lora.card import card_problems, write_card
from semantic_router_lora.card.examples import examples_in
from semantic_router_lora.card.markdown import cells, paragraph, plain, sections, unescaped
from semantic_router_lora.card.stated import Stated, stated_problems
from semantic_router_lora.cli import app
from semantic_router_lora.data.triplets import write_triplets
from semantic_router_lora.errors import AdapterFormatError, DataError, InputError

NAME = "law-cache-lora-L6"
LINES = ("IndexedRouter", "SemanticRouter", "RouteLayer")
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
TEXTS = ("first signs of shingles", "how long is shingles contagious?")
SAID = Stated(
    license="mit",
    language=("en", "de"),
    author="A. Person",
    sources={"semantic-router-lora": "apache-2.0"},
)


@pytest.fixture
def folder(tmp_path):
    """A copy of a bundled adapter."""
    return shutil.copytree(resolve_adapter(NAME).folder, tmp_path / NAME)


@pytest.fixture(scope="module")
def plain_folder(make_adapter, tmp_path_factory):
    """What peft alone writes: no record of training, nothing measured; and its card."""
    folder = make_adapter(tmp_path_factory.mktemp("plain") / "my-adapter", seed=3)
    assert "[More Information Needed]" in (folder / "README.md").read_text()
    write_card(folder, Stated(license="mit"), dev=[dev_file(folder.parent)])
    return folder


def dev_file(folder):
    """A short file of dev triplets, so that running the adapter on it takes no time."""
    (suite,) = (suite for suite in load_suites(["bundled:dev"]) if suite.domain == "law")
    write_triplets(folder / "few.dev.jsonl", suite.triplets[:12])
    return str(folder / "few.dev.jsonl")


def card_of(folder):
    return (folder / "README.md").read_text(encoding="utf-8")


def section(folder, heading):
    return dict(sections(card_of(folder)))[heading]


def edit(folder, name, change):
    """Change a JSON file of the folder."""
    path = folder / name
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def rewrite(folder, old, new):
    text = card_of(folder)
    assert old in text
    (folder / "README.md").write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize("name", bundled_adapters())
def test_bundled_cards_are_complete_and_true(name):
    assert card_problems(resolve_adapter(name).folder) == []


def test_command_writes_the_committed_card_again(folder):
    committed = card_of(folder)
    ran = CliRunner().invoke(app, ["adapter", "card", str(folder)])
    assert ran.exit_code == 0, ran.output
    assert card_of(folder) == committed
    assert "Incomplete" not in ran.output
    assert card_problems(folder, remeasure=True) == []


def test_metadata_is_what_the_hub_reads(folder):
    card = ModelCard.load(folder / "README.md")
    data = card.data
    assert (data.library_name, data.pipeline_tag) == ("peft", "sentence-similarity")
    assert data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    assert data.base_model_relation == "adapter"
    assert (data.license, data.language, data.model_name) == ("apache-2.0", ["en"], NAME)
    measured = json.loads((folder / "evaluation_results.json").read_text())
    assert len(data.eval_results) == 3 * len(measured["suites"])
    for result in data.eval_results:
        (suite,) = (s for s in measured["suites"] if s["domain"] == result.dataset_config)
        assert result.metric_value == suite["figures"][NAME][result.metric_type]["value"]
        assert result.dataset_type == suite["source"]
    assert ModelCard(str(card)).data.to_dict() == data.to_dict()


def test_examples_are_measured_failures_on_dev_and_never_of_test(folder):
    examples = examples_in(section(folder, "Limits and known failures"))
    assert len(examples) == 6
    (dev,) = (suite for suite in load_suites(["bundled:dev"]) if suite.domain == "law")
    rows = {triplet.texts: triplet.trap for triplet in dev.triplets}
    embedder = Embedder(adapter=str(folder))
    for example in examples:
        assert example.kind == f"law, {rows[example.texts]}"
        anchor, positive, negative = embedder.encode(list(example.texts))
        assert example.positive_cosine == f"{anchor @ positive:.2f}"
        assert example.negative_cosine == f"{anchor @ negative:.2f}"
        assert anchor @ negative > anchor @ positive
    test = {text for suite in load_suites(["bundled"]) for t in suite.triplets for text in t.texts}
    assert not test & {text for example in examples for text in example.texts}


def test_budgets_are_called_kept_only_where_the_whole_interval_is_within(folder):
    def verdicts(low, high, triplets=200, recall=0.07):
        def change(results):
            for suite in results["suites"]:
                suite["triplets"] = triplets
                served = suite["figures"][NAME]["false_hit_rate"]
                served |= {"value": low, "low": low, "high": high}
                suite["figures"][NAME]["recall"]["value"] = recall

        edit(folder, "evaluation_results.json", change)
        (problem,) = (p for p in card_problems(folder) if p.startswith("section 'Thresholds'"))
        assert "should be" in problem
        write_card(folder, dev=[dev_file(folder.parent)])
        table = section(folder, "Thresholds")
        (row,) = (line for line in table.splitlines() if line.startswith("| law "))
        return cells(row)[-4:], "No threshold is shown" in table

    few, none, kept = "too few triplets", "not shown", "kept"
    assert verdicts(0.01, 0.051) == ([few, none, kept, kept], True)
    assert verdicts(0.01, 0.049) == ([few, kept, kept, kept], False)
    assert verdicts(0.0, 0.009, triplets=381) == ([kept] * 4, False)
    assert verdicts(0.0, 0.04, recall=0.0) == ([few, *["serves none"] * 3], True)
    assert verdicts(0.1, 0.2, triplets=20) == ([few, few, few, kept], True)


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
def test_what_was_tampered_with_is_found(folder, old, new, reason):
    rewrite(folder, old, new)
    problems = card_problems(folder)
    assert any(reason in problem for problem in problems), problems


def test_files_that_changed_under_the_card_are_found(folder):
    weights = folder / "adapter_model.safetensors"
    shutil.copy(resolve_adapter("medical-cache-lora-L6").folder / weights.name, weights)
    problems = " ".join(card_problems(folder))
    assert "section 'Adapter'" in problems
    assert "has other weights" in problems
    with pytest.raises(DataError, match="was measured with an encoder of fingerprint"):
        write_card(folder)
    edit(folder, "adapter_config.json", lambda c: c.update(base_model_name_or_path="a/other"))
    problems = " ".join(card_problems(folder))
    assert "base_model is 'sentence-transformers/all-MiniLM-L6-v2', but by" in problems
    assert "adapter_config.json names the base 'a/other', training_info.json" in problems
    (folder / "evaluation_results.json").unlink()
    assert any("there is no evaluation_results.json" in p for p in card_problems(folder))
    (folder / "README.md").unlink()
    assert "there is no README.md" in card_problems(folder)[0]


@pytest.mark.parametrize("value", [None, 5, "x", [], [[]], {"a": []}, float("nan"), -1, True])
def test_records_of_another_type_are_problems_and_no_errors(folder, value):
    info = folder / "training_info.json"
    before = json.loads(info.read_text())
    for change in (
        lambda content: content.update(dict.fromkeys(content, value)),
        lambda content: content["data"].update(dict.fromkeys(content["data"], value)),
        lambda content: content["recipe"].update(dict.fromkeys(content["recipe"], value)),
        lambda content: content.update(hardware=dict.fromkeys(content["hardware"], value)),
    ):
        info.write_text(json.dumps(before))
        edit(folder, info.name, change)
        assert card_problems(folder)
    info.write_text(json.dumps(before))
    config = folder / "adapter_config.json"
    settings = json.loads(config.read_text())
    for key in ("r", "lora_alpha", "target_modules", "use_rslora", "revision"):
        config.write_text(json.dumps(settings | {key: value, "use_dora": value}))
        assert isinstance(card_problems(folder), list)
    config.write_text(json.dumps(settings))
    results = folder / "evaluation_results.json"
    measured = json.loads(results.read_text())
    figures = measured["suites"][0]["figures"][NAME]
    for place in (measured, measured["suites"][0], figures, figures["margin"]):
        for key in place:
            kept, place[key] = place[key], value
            results.write_text(json.dumps(measured))
            place[key] = kept
            assert isinstance(card_problems(folder), list)


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
def test_broken_files_are_problems(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        problems = card_problems(folder)
    except AdapterFormatError as error:
        problems = [str(error)]
    assert problems
    assert all("\n" not in problem[:60] for problem in problems)


def test_links_and_pipes_are_refused_unread(folder, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("---\nlicense: mit\n---\n")
    card = folder / "README.md"
    card.unlink()
    card.symlink_to(secret)
    for call in (card_problems, write_card):
        with pytest.raises(AdapterFormatError, match=r"README\.md is no regular file"):
            call(folder)
    assert secret.read_text().startswith("---")
    card.unlink()
    os.mkfifo(folder / "pipe")
    (folder / "pipe").rename(folder / "training_info.json")
    with pytest.raises(AdapterFormatError, match=r"training_info\.json is no regular file"):
        card_problems(folder)


def test_texts_of_others_stay_texts(folder):
    hostile = "x](javascript:alert(1)) | <img src=x>\n## Measured\n\n`code`"
    edit(folder, "training_info.json", lambda info: info.update(python=hostile))
    write_card(folder, Stated(author=hostile, sources={"semantic-router-lora": hostile}))
    body = ModelCard.load(folder / "README.md").text
    assert [heading for heading, _ in sections(body)].count("Measured") == 1
    assert not re.search(r"(?<!\\)<img|(?<!\\)\]\(java", body)
    assert card_problems(folder) == []
    edit(
        folder, "adapter_config.json", lambda c: c.update(base_model_name_or_path="a\n## Measured")
    )
    with pytest.raises(AdapterFormatError, match="base_model_name_or_path"):
        card_problems(folder)
    assert unescaped(plain("a|b `c` [d](e) \\ <f>")) == "a|b `c` [d](e) \\ <f>"
    assert cells("| a \\| b | c |") == ["a \\| b", "c"]
    assert paragraph("x" * 99 + " - y") == "x" * 99 + " - y"


def test_plain_peft_folder_says_what_is_not_recorded(plain_folder):
    problems = "\n".join(card_problems(plain_folder))
    for reason in ("language", "nobody to cite", "training_info.json", "evaluation_results.json"):
        assert reason in problems
    assert "should be" not in problems
    for heading in ("Measured", "Thresholds", "Training data", "Training", "Citation"):
        assert "ot recorded" in section(plain_folder, heading), heading
    assert "r 8, alpha 16, so that the update is scaled by 2" in section(plain_folder, "Adapter")
    assert 'adapter="./my-adapter"' in section(plain_folder, "Use")
    assert examples_in(section(plain_folder, "Limits and known failures"))
    assert ModelCard.load(plain_folder / "README.md").data.eval_results is None


def test_a_person_is_asked_for_the_licence_and_then_not_again(folder, tmp_path):
    (folder / "README.md").unlink()
    ran = CliRunner().invoke(app, ["adapter", "card", str(folder)])
    assert isinstance(ran.exception, InputError)
    assert "--license" in str(ran.exception)
    assert not (folder / "README.md").exists()
    notes = tmp_path / "notes.md"
    notes.write_text("- A first point.\n- A second one.\n")
    write_card(folder, Stated(**(vars(SAID) | {"notes": notes.read_text()})))
    first = card_of(folder)
    assert write_card(folder) == folder / "README.md"
    assert card_of(folder) == first
    assert section(folder, "Notes") == notes.read_text().strip()
    rewrite(folder, "- lora\n", "- lora\n- own-tag\n")
    rewrite(folder, "pipeline_tag:", "extra_gated_prompt: Say who you are\npipeline_tag:")
    assert card_problems(folder) == []
    more = Stated(license="other", license_name="House", license_link="LICENSE", sources={"x": "y"})
    write_card(folder, more)
    data = ModelCard.load(folder / "README.md").data
    assert (data.license, data.license_name, data.license_link) == ("other", "House", "LICENSE")
    assert data.language == ["en", "de"]
    assert data.extra_gated_prompt == "Say who you are"
    assert "own-tag" in data.tags
    assert data.semantic_router_lora["sources"] == {"semantic-router-lora": "apache-2.0", "x": "y"}
    assert card_problems(folder) == []


def test_a_card_written_by_hand_is_not_lost(folder):
    card = folder / "README.md"
    card.write_text("---\nlicense: mit\nlanguage: en\n---\n# Mine\n\nWritten with care.\n")
    before = card.read_bytes()
    with pytest.raises(InputError, match="--overwrite"):
        write_card(folder)
    assert card.read_bytes() == before
    write_card(folder, overwrite=True, dev=[dev_file(folder.parent)])
    data = ModelCard.load(card).data
    assert (data.license, data.language) == ("mit", ["en"])
    assert not list(folder.glob("*.part"))


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
def test_what_the_hub_would_not_take_is_refused(folder, said, reason):
    before = card_of(folder)
    with pytest.raises(InputError, match=reason):
        write_card(folder, said)
    assert card_of(folder) == before
    assert stated_problems(Stated(license="mit", language=("no", "gsw", "code"))) == []


def test_figures_are_taken_from_results_of_several_adapters(folder, plain_folder, tmp_path):
    evaluation = folder / "evaluation_results.json"
    expected = evaluation.read_text()
    mixed = json.loads(expected)
    mixed["embedders"]["another"] = mixed["embedders"][NAME] | {"fingerprint": "0" * 16}
    for suite in mixed["suites"]:
        suite["figures"]["another"] = suite["figures"][NAME]
        suite["drawings"]["another"] = suite["drawings"][NAME]
        for figures in suite["traps"].values():
            figures["another"] = figures[NAME]
    results = tmp_path / "results.json"
    results.write_text(json.dumps(mixed))
    evaluation.unlink()
    write_card(folder, results=results)
    assert evaluation.read_text() == expected
    with pytest.raises(DataError, match="none of"):
        write_card(plain_folder, results=results)
    assert not (plain_folder / evaluation.name).exists()


def test_examples_of_a_file_of_ones_own(folder, tmp_path):
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
        folder,
        "evaluation_results.json",
        lambda r: [s.update(traps={}, trap_counts={}) for s in r["suites"]],
    )
    write_card(folder, dev=[str(dev)])
    (example,) = examples_in(section(folder, "Limits and known failures"))
    assert (example.kind, example.negative) == ("mine", "convert a list to a dict")


def run(code, place, monkeypatch):
    """The output and the vectors of a piece of code, run in a folder."""
    names = {"__name__": "card"}
    monkeypatch.chdir(place)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "card", "exec"), names)
    return printed.getvalue(), names.get("vectors")


def test_code_of_cards_gives_the_vectors_of_the_embedder(
    folder, plain_folder, base_folder, tmp_path, monkeypatch
):
    """Of a bundled adapter, of a folder, and of one on the Hub: from the Hub's cache, offline."""
    pytest.importorskip("sentence_transformers")
    published = shutil.copytree(plain_folder, tmp_path / "published")
    write_card(published, Stated(repo_id="someone/my-adapter"), dev=[dev_file(tmp_path)])
    for repo, files in (
        ("sentence-transformers--all-MiniLM-L6-v2", base_folder),
        ("someone--my-adapter", published),
    ):
        cached = tmp_path / "hub" / f"models--{repo}"
        snapshot = cached / "snapshots" / ("a" * 40)
        snapshot.mkdir(parents=True)
        (cached / "refs").mkdir()
        (cached / "refs" / "main").write_text(snapshot.name)
        for file in files.iterdir():
            (snapshot / file.name).symlink_to(file)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for card, place in (
        (folder, tmp_path),
        (plain_folder, plain_folder.parent),
        (published, tmp_path),
    ):
        expected = Embedder(adapter=str(card)).encode(list(TEXTS))
        routed = encoded = 0
        for code in PYTHON.findall(card_of(card)):
            line = next((name for name in LINES if f"{name}(" in code), None)
            if line is None:
                printed, vectors = run(code, place, monkeypatch)
                assert printed == f"cosine {expected[0] @ expected[1]:.2f}\n"
                np.testing.assert_allclose(np.asarray(vectors), expected, atol=1e-5)
                encoded += 1
            elif hasattr(semantic_router, line):
                assert run(code, place, monkeypatch) == ("refund\n", None)
                routed += 1
        assert (routed, encoded) == (sum(hasattr(semantic_router, name) for name in LINES), 3)
