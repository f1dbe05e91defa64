"""Prompts of a generation: those of the domains, and one's own."""

from __future__ import annotations

import json

import pytest

from semantic_router_lora.data.triplets import TRAPS
from semantic_router_lora.errors import DataError
from semantic_router_lora.generation.answers import parse_answer
from semantic_router_lora.generation.prompts import load_prompt


@pytest.mark.parametrize("domain", ["medical", "law", "programming", "psychology", "cooking"])
def test_every_domain_has_a_prompt(domain):
    prompt = load_prompt(domain)
    assert prompt.domain == domain
    assert list(prompt.traps) == list(TRAPS)
    assert "{domain}" not in prompt.system
    assert len(prompt.examples) >= 4
    system, *turns = prompt.messages(3)
    assert system["role"] == "system"
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * len(prompt.examples)
    for example, turn in zip(prompt.examples, turns[1::2], strict=True):
        read = parse_answer(turn["content"])
        assert read.paraphrases == example.paraphrases
        assert dict(read.negatives) == {t: x for t, x in example.negatives.items() if x}
    given = {text for example in prompt.examples for text in example.negatives.values()}
    assert None in given, "a model must see that it may leave a trap out"


def test_a_prompt_of_ones_own(tmp_path):
    path = tmp_path / "mine.yaml"
    example = {
        "query": "q",
        "paraphrases": ["p"],
        "negatives": dict.fromkeys(TRAPS, None) | {"role": "n"},
    }
    content = {
        "domain": "tea",
        "system": "About {domain}.",
        "traps": dict.fromkeys(TRAPS, "x"),
        "examples": [example],
    }

    def load(**changes):
        path.write_text(json.dumps({**content, **changes}))
        return load_prompt("tea", path)

    assert load().system == "About tea."
    for changes, message in [
        ({"traps": {"role": "x"}}, "traps: expected a text for each of aspect"),
        ({"system": " "}, "system: ' ', expected a text"),
        ({"extra": 1}, "expected domain, examples, system, traps"),
        ({"examples": [{**example, "paraphrases": []}]}, r"examples\[0\]: paraphrases are \[\]"),
        ({"examples": [{**example, "negatives": {}}]}, "negatives need a text or null"),
    ]:
        with pytest.raises(DataError, match=message):
            load(**changes)
    path.write_text("a: [")
    with pytest.raises(DataError, match="not valid YAML"):
        load_prompt("tea", path)
    with pytest.raises(DataError, match="No such file"):
        load_prompt("tea", tmp_path / "none.yaml")
