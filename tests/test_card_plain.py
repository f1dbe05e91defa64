"""Cards of folders that peft alone wrote, and the code of cards, which runs."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil

import numpy as np
import pytest
import semantic_router
from cards import NAME, card_of, dev_file, section
from huggingface_hub import ModelCard, constants

from semantic_router_lora import Embedder
from semantic_router_lora.card import card_problems, write_card
from semantic_router_lora.card.examples import examples_in
from semantic_router_lora.card.stated import Stated
from semantic_router_lora.errors import DataError

LINES = ("IndexedRouter", "SemanticRouter", "RouteLayer")
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
TEXTS = ("first signs of shingles", "how long is shingles contagious?")


@pytest.fixture(scope="module")
def plain_folder(make_adapter, tmp_path_factory):
    """What peft alone writes: no record of training, nothing measured; and its card."""
    folder = make_adapter(tmp_path_factory.mktemp("plain") / "my-adapter", seed=3)
    assert "[More Information Needed]" in (folder / "README.md").read_text()
    write_card(folder, Stated(license="mit"), dev=[dev_file(folder.parent)])
    return folder


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


def test_figures_are_taken_from_results_of_several_adapters(law_folder, plain_folder, tmp_path):
    evaluation = law_folder / "evaluation_results.json"
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
    write_card(law_folder, results=results)
    assert evaluation.read_text() == expected
    with pytest.raises(DataError, match="none of"):
        write_card(plain_folder, results=results)
    assert not (plain_folder / evaluation.name).exists()


def run(code, place, monkeypatch):
    """The output and the vectors of a piece of code, run in a folder."""
    names = {"__name__": "card"}
    monkeypatch.chdir(place)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "card", "exec"), names)
    return printed.getvalue(), names.get("vectors")


def test_code_of_cards_gives_the_vectors_of_the_embedder(
    law_folder, plain_folder, base_folder, tmp_path, monkeypatch
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
        (law_folder, tmp_path),
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
