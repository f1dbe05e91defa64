"""What the tests of cards do with a card and its folder."""

from __future__ import annotations

import json

from semantic_router_lora.benchmark.suite import load_suites
from semantic_router_lora.card.markdown import sections
from semantic_router_lora.data.triplets import write_triplets

NAME = "law-cache-lora-L6"  # of the fixture law_folder


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
