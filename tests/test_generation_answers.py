"""Answers of models, read whatever they are wrapped in, or refused with a reason."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semantic_router_lora.data.triplets import TRAPS
from semantic_router_lora.generation.answers import Answer, AnswerError, parse_answer

GOOD = {
    "paraphrases": ["How can I stop my tap dripping?", "tap drips, what to do"],
    "negatives": {"aspect": "Why does my tap drip?", "entity": None, "negation": "let a tap drip"},
}
READ = Answer(
    ("How can I stop my tap dripping?", "tap drips, what to do"),
    (("aspect", "Why does my tap drip?"), ("negation", "let a tap drip")),
)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(GOOD),
        "Sure! Here is the JSON:\n```json\n" + json.dumps(GOOD, indent=2) + "\n```\nAnything else?",
        "<think>The user {wants} negatives: {}</think>\n" + json.dumps(GOOD),
        json.dumps({**GOOD, "paraphrases": ["a draft"]}) + "</think>" + json.dumps(GOOD),
        'The "JSON you want: ' + json.dumps(GOOD)[:-1] + ",}",
        json.dumps(GOOD).replace("]", ",]").replace("}", ", }"),
        json.dumps({**GOOD, "negatives": [{"trap": t, "text": x} for t, x in READ.negatives]}),
        json.dumps({**GOOD, "negatives": [{"trap": " Aspect", "query": READ.negatives[0][1]}]}),
        json.dumps({"answer": GOOD}),
        json.dumps({"step": 1}) + json.dumps(GOOD),
        json.dumps(
            {
                **GOOD,
                "paraphrases": [
                    "How can I  stop\nmy tap dripping?",
                    None,
                    3,
                    READ.paraphrases[1],
                    "\ud800",
                ],
            }
        ),
        json.dumps({**GOOD, "negatives": {**GOOD["negatives"], "topic": "why is the sky blue"}}),
    ],
)
def test_an_answer_is_read_whatever_it_is_wrapped_in(text):
    answer = parse_answer(text)
    assert answer.paraphrases == READ.paraphrases
    assert answer.negatives in (READ.negatives, READ.negatives[:1])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("<think>hm</think>", "empty"),
        ("<think>" + json.dumps(GOOD), "empty"),
        ("<think>" * 14_000, "empty"),  # these two took minutes
        ('{"' + '\\"' * 49_000, "no JSON object"),
        ("I cannot help with that.", "no JSON object"),
        (json.dumps(GOOD)[:-20], "no JSON object"),
        ("{" * 5000, "no JSON object"),
        ("[" * 50_000, "no JSON object"),
        ("x" * 100_001, "characters"),
        (json.dumps({**GOOD, "paraphrases": []}), "no paraphrases"),
        (json.dumps({**GOOD, "paraphrases": {"a": 1}}), "of type dict"),
        (json.dumps({**GOOD, "negatives": {"aspect": None}}), "no near misses"),
        (json.dumps({**GOOD, "negatives": "none"}), "of type str"),
    ],
)
def test_an_answer_that_cannot_be_used_says_why(text, reason):
    with pytest.raises(AnswerError, match=reason):
        parse_answer(text)


def test_a_comma_in_a_text_is_no_trailing_comma():
    odd = {"paraphrases": ['what does [1, 2, ] mean, "x,}"'], "negatives": {"aspect": "a, }"}}
    text = json.dumps(odd)[:-1] + ",}"
    assert parse_answer(text) == Answer(tuple(odd["paraphrases"]), (("aspect", "a, }"),))


def test_a_text_may_hold_what_its_script_needs_but_no_control_characters():
    persian, family, newer = (
        "چطور می\u200cشود",
        "who is in 👨\u200d👩\u200d👧",
        "what is \U0001fae8",
    )
    content = {
        "paraphrases": [persian, family, newer, "ring the \a bell"],
        "negatives": {"role": "x"},
    }
    assert parse_answer(json.dumps(content)).paraphrases == (persian, family, newer)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(TRAPS), inner),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(
    st.text()
    | st.builds(
        lambda before, p, n, after: before + json.dumps({"paraphrases": p, "negatives": n}) + after,
        *(st.text(), json_values, json_values, st.text()),
    )
)
def test_whatever_a_model_writes_is_read_or_refused(text):
    try:
        answer = parse_answer(text)
    except AnswerError as error:
        assert str(error)
        return
    texts = [*answer.paraphrases, *(text for _, text in answer.negatives)]
    assert answer.paraphrases
    assert answer.negatives
    assert {trap for trap, _ in answer.negatives} <= set(TRAPS)
    for found in texts:
        assert found.strip() == found
        assert not any(unicodedata.category(sign) == "Cc" for sign in found)
        found.encode()
