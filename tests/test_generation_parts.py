"""The parts of a generation: answers, prompts, queries, journal."""

from __future__ import annotations

import asyncio
import json
import os
import unicodedata
from collections import Counter

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semantic_router_lora.cli.output import print_table
from semantic_router_lora.data.triplets import TRAPS
from semantic_router_lora.errors import DataError, InputError
from semantic_router_lora.generation.answers import Answer, AnswerError, parse_answer
from semantic_router_lora.generation.asking import Asking
from semantic_router_lora.generation.endpoints import Endpoint, backoff
from semantic_router_lora.generation.filters.candidate import Removed
from semantic_router_lora.generation.journal import Journal
from semantic_router_lora.generation.places import Persistence
from semantic_router_lora.generation.prompts import load_prompt
from semantic_router_lora.generation.queries import OTHER_SHARD, query_key, scan_queries
from semantic_router_lora.generation.replies import NoAnswerError, read_reply
from semantic_router_lora.generation.report import GenerationReport
from semantic_router_lora.generation.shard import Shard

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


def test_a_scan_finds_what_is_no_query(tmp_path):
    path = tmp_path / "queries.txt"
    rows = ["How do I  brew tea?", "", "how do i brew TEA?", "x" * 2001, "green tea temperature"]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8-sig")
    queries = scan_queries(path)
    assert queries.kinds.tolist() == [0, 1, 2, 3, 0]
    assert list(queries.texts()) == [(0, "How do I brew tea?"), (4, "green tea temperature")]
    path.write_text("tea" + " " * 2000 + "leaves\ntea leaves\n")
    assert scan_queries(path).kinds.tolist() == [3, 0], "a row that is left out has no duplicates"
    lines = [{"text": "a b", "n": 1}, {"text": None}, {"text": "\ud800"}, {"text": "c"}]
    path = tmp_path / "queries.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in lines))
    queries = scan_queries(path)
    assert (queries.field, queries.kinds.tolist()) == ("text", [0, 1, 4, 0])
    with pytest.raises(DataError, match=r"queries.jsonl:1: no field 'q'"):
        scan_queries(path, "q")


def test_shards_share_the_queries_and_keep_equal_ones_together(tmp_path):
    path = tmp_path / "queries.txt"
    texts = [f"question {number % 700} about tea" for number in range(1000)]
    path.write_text("\n".join([*texts, "", "x" * 3000, ""]) + "\n")
    whole = scan_queries(path)
    parts = [scan_queries(path, shard=Shard(number, 3)) for number in (1, 2, 3)]
    asked = [set(np.flatnonzero(part.kinds == 0).tolist()) for part in parts]
    assert set.union(*asked) == set(np.flatnonzero(whole.kinds == 0).tolist())
    assert sum(map(len, asked)) == 700
    kinds = sum((Counter(part.kinds.tolist()) for part in parts), Counter())
    del kinds[OTHER_SHARD]
    assert kinds == Counter(whole.kinds.tolist()), "each row counts in one shard"
    assert min(map(len, asked)) > 180
    assert query_key("Brew  tea") == query_key("brew TEA")
    for text in ("0/2", "3/2", "a/b", "2", "1/0"):
        with pytest.raises(InputError, match="shard is"):
            Shard.parse(text)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.txt", None, "no such file"),
        ("empty.txt", b"", "holds no queries"),
        ("bytes.txt", b"tea\n\xff\n", "bytes.txt:2: not UTF-8"),
        ("queries.doc", b"x", "expected a file ending in"),
        ("broken.jsonl", b'{"text": "a"}\n{"text": \n', "broken.jsonl:2: not valid JSON"),
        ("list.jsonl", b"[1]\n", "expected rows of objects, got list"),
        ("other.jsonl", b'{"id": 1}\n', "'id' and none of query, text, question, anchor"),
        ("number.jsonl", b'{"text": 1}\n', "number.jsonl:1: field 'text' is 1"),
    ],
)
def test_a_bad_file_of_queries_is_refused_before_anything_is_asked(
    tmp_path, name, content, message
):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        scan_queries(tmp_path / name)


def entries(path, settings=None, rows=10):
    with Journal(path, settings or {"model": "m"}, rows) as journal:
        return {row: journal.entry(row) for row in range(rows) if row in journal}


def test_a_journal_survives_a_cut_at_every_byte(tmp_path):
    path = tmp_path / "a.journal.jsonl"
    with Journal(path, {"model": "m"}, 10) as journal:
        for row in (3, 1, 7):
            journal.append(row, {"answer": f"é\u2028{row}"})
        assert 3 in journal
        assert 0 not in journal
        assert len(journal) == 3
    whole = path.read_bytes()
    starts = [0, *(n + 1 for n, byte in enumerate(whole) if byte == ord("\n"))]
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        lines = sum(start <= size for start in starts[1:])
        expected = {
            row: {"row": row, "answer": f"é\u2028{row}"} for row in (3, 1, 7)[: max(0, lines - 1)]
        }
        assert entries(path) == expected
        with Journal(path, {"model": "m"}, 10) as journal:
            journal.append(9, {"answer": "more"})
        assert entries(path).keys() == {*expected, 9}
    assert not (tmp_path / "a.journal.jsonl.lock").exists()


def test_the_later_entry_counts_and_failed_ones_can_be_forgotten(tmp_path):
    path = tmp_path / "a.journal.jsonl"
    with Journal(path, {"model": "m"}, 10) as journal:
        journal.append(2, {"error": "status 500"})
        journal.append(4, {"error": "status 500"})
        journal.append(2, {"answer": "fine"})
        assert list(journal.failed_rows()) == [4]
        journal.forget(4)
        assert 4 not in journal
    assert entries(path)[2]["answer"] == "fine"


def test_a_journal_of_another_job_is_refused(tmp_path):
    path = tmp_path / "a.journal.jsonl"
    with Journal(path, {"model": "m"}, 10) as journal:
        journal.append(5, {"answer": "x"})
        with pytest.raises(InputError, match="in use by another process"):
            Journal(path, {"model": "m"}, 10)
    with pytest.raises(InputError, match="another job: model was 'm' and is 'n'"):
        entries(path, {"model": "n"})
    with pytest.raises(DataError, match="holds row 5, which the input has not"):
        entries(path, rows=5)
    for other in (b'{"anchor": "a"}\n{"anc', b"one line without an end"):
        path.write_bytes(other)
        with pytest.raises(DataError, match="is no journal"):
            entries(path)
        assert path.read_bytes() == other
    path.write_text('{"journal": "generation journal", "version": 9}\n')
    with pytest.raises(DataError, match="another version"):
        entries(path)


def test_a_full_disk_leaves_whole_lines(tmp_path, monkeypatch):
    write = os.write
    path = tmp_path / "a.journal.jsonl"
    with Journal(path, {"model": "m"}, 10) as journal:
        journal.append(5, {"answer": "x"})
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", lambda file, data: write(file, data[:5]))
            with pytest.raises(OSError, match="No space left on device"):
                journal.append(6, {"answer": "y"})
        assert 6 not in journal
        journal.append(7, {"answer": "z"})
    assert entries(path).keys() == {5, 7}


def an_endpoint(key: str | None = None) -> Endpoint:
    return Endpoint("http://localhost/v1", "m", key=key, schema={}, timeout=1.0, request={})


def test_a_server_that_only_says_too_many_is_left_alone_longer_and_longer(monkeypatch):
    now = 1000.0
    monkeypatch.setattr("semantic_router_lora.generation.endpoints.time.monotonic", lambda: now)
    endpoint = an_endpoint()
    pauses = []
    for _ in range(8):
        for _ in range(64):  # all that were in flight
            endpoint._wait(httpx.Response(429))
        pauses.append(endpoint.pause())
        now += pauses[-1]
        assert endpoint.pause() == 0
    for attempt, pause in enumerate(pauses):
        assert min(30, 2.0**attempt) / 2 <= pause <= min(30, 2.0**attempt) + 0.5
    endpoint._wait(httpx.Response(429, headers={"Retry-After": "7"}))
    assert 7 <= endpoint.pause() <= 7.5


def test_waiting_doubles_up_to_a_cap_and_never_takes_the_same_time_for_all():
    for attempt in range(1, 2000, 7):
        longest = min(30, 0.5 * 2.0 ** min(attempt - 1, 60))
        waits = {backoff(attempt, 0.5) for _ in range(20)}
        assert longest / 2 <= min(waits) and max(waits) <= longest
        assert len(waits) > 10


def test_the_words_of_a_server_are_kept_but_for_the_key():
    reply = httpx.Response(
        200, json={"choices": [{"message": {"content": "sk-0123456789 ollama"}}]}
    )
    assert read_reply(reply, "sk-0123456789").text == "*** ollama"
    assert read_reply(reply, "ollama").text == "sk-0123456789 ollama", "a word, and no secret"
    assert an_endpoint()._safe("none of\nit") == "none of it"
    assert an_endpoint(" abc ")._safe("no key abc") == "no key ***"


def test_a_stopped_run_counts_no_query_as_failed_that_may_yet_be_answered(tmp_path):
    class Dead(Endpoint):
        async def ask(self, messages):
            if messages[-1]["content"] == "question 5":
                asking._stopping.set()
            raise NoAnswerError("status 500")

    path = tmp_path / "queries.txt"
    path.write_text("".join(f"question {number}\n" for number in range(9)))
    queries = scan_queries(path)
    with Journal(tmp_path / "j.jsonl", {}, len(queries)) as journal:
        asking = Asking(
            queries,
            journal,
            load_prompt("tea"),
            paraphrases=3,
            concurrency=1,
            persistence=Persistence(attempts=1),
        )
        dead = Dead("http://localhost/v1", "m", key=None, schema={}, timeout=1.0, request={})
        assert asyncio.run(asking.run([dead])) is False
        assert len(journal) == 0


def test_tables_show_texts_as_they_are(capsys):
    report = GenerationReport()
    report.remove(
        Removed("prompt_leak", "paraphrase", "[/INST] :smile: [b]x[/b]", "q [/q]", "leak")
    )
    print_table(report.filter_table())
    assert "'[/INST] :smile: [b]x[/b]' for 'q [/q]'" in capsys.readouterr().out
