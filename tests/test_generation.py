"""Generation against a server that fails in every way: each query ends once, in rows or a note."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from generation_jobs import TRAPS, answers, outcomes, question
from servers.processes import running_chat_server

from semantic_router_lora.data.triplets import read_triplets
from semantic_router_lora.errors import InputError
from semantic_router_lora.generation.asking import Persistence
from semantic_router_lora.generation.job import generate


def test_faults_that_pass_cost_nothing(tmp_path, make_job):
    """Each query gets a fault or two on its first attempts; in the end all are written."""
    kinds = ("429", "500", "503", "reset", "close", "truncated_body", "invalid_json")
    kinds += ("invalid_utf8", "html", "wrong_schema", "empty_choices", "null_content", "502")
    kinds += ("truncated_answer", "refusal")
    faults = [
        {"fault": kind, "contains": f" {number} ", "times": 1, "retry_after": 0.05}
        for number, kind in enumerate(kinds)
    ]
    faults.append({"fault": "slow", "contains": " 30 ", "times": None, "seconds": 0.5})
    with running_chat_server(tmp_path, faults=faults, answers=answers(40)) as server:
        report = generate(make_job(server))
        assert outcomes(report) == (40, 0, 0)
        assert report.triplets == 40 * 6
        assert sorted(server.answered) == sorted(map(question, range(40)))
        asked = Counter(request["query"] for request in server.requests)
        assert [asked[question(number)] for number in range(len(kinds))] == [2] * len(kinds)
        assert set(asked.values()) == {1, 2}
        assert all(request["json_schema"] for request in server.requests)
    rows = read_triplets(tmp_path / "out.jsonl")
    assert [row.anchor for row in rows[::6]] == [question(number) for number in range(40)]
    assert {row.trap for row in rows} == set(TRAPS)
    assert {row.domain for row in rows} == {"bikes"}
    assert not list(tmp_path.glob("*.part"))


def test_faults_that_stay_are_told(tmp_path, make_job):
    kinds = ("500", "reset", "hang", "drip", "refusal", "truncated_answer", "empty_choices", "400")
    kinds += ("403", "slow")
    faults = [
        {"fault": kind, "contains": f" {number} ", "times": None}
        for number, kind in enumerate(kinds)
    ]
    held = {**answers(40), question(10): '{"paraphrases": ["fix"], "negatives": {"role": "it"}}'}
    with running_chat_server(tmp_path, faults=faults, answers=held) as server:
        job = make_job(server, timeout=2.0, persistence=Persistence(attempts=2, backoff=0.01))
        report = generate(job)
        assert outcomes(report) == (29, 1, 10)
        notes = [json.loads(line) for line in job.dropped.read_text().splitlines()]
        failed = {note["row"]: note["reason"] for note in notes if note.get("outcome") == "failed"}
        for row, reason in enumerate(
            [
                "status 500",
                "connection",
                "no whole answer in 2 s",
                "no whole answer in 2 s",
                "no JSON object",
                "cut off",
                "no chat completion",
                "status 400",
                "status 403",
                "no whole answer in 2 s",
            ],
            start=1,
        ):
            assert reason in failed[row]
        (rejected,) = [note for note in notes if note.get("outcome") == "rejected"]
        assert rejected["row"] == 11
        assert "length" in rejected["reason"]
        before = len(server.requests)
        again = generate(job, resume=True)
        assert outcomes(again) == (29, 1, 10)
        assert len(server.requests) == before
    with running_chat_server(tmp_path, answers=held) as server:
        job = make_job(server)
        assert outcomes(generate(job, resume=True, retry_failed=True)) == (39, 1, 0)
        assert len(server.requests) == 10
    written = json.loads(job.report.read_text())
    assert written["removed"]["length"]["examples"][0]["query"] == question(10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"endpoints": []}, "at least one endpoint"),
        ({"endpoints": ["localhost:8000"]}, "expected a URL"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"temperature": 3.0}, "temperature is 3.0"),
        ({"output": "out.csv"}, "ending in .jsonl"),
        ({"timeout": 0.0}, "timeout is 0.0"),
        ({"domain": " "}, "domain is empty"),
        ({"persistence": {"breaker": 0}}, "breaker is 0"),
        ({"persistence": {"attempts": 0}}, "attempts is 0"),
        ({"endpoints": ["https://localhost/v1?key=secret"]}, "only its base is wanted"),
    ],
)
def test_bad_options_are_refused_before_anything_is_asked(make_job, options, message):
    with pytest.raises(InputError, match=message):
        if "persistence" in options:
            options = {"persistence": Persistence(**options["persistence"])}
        generate(make_job(**options))


def test_the_example_of_the_docs(tmp_path, make_job):
    docs = Path(__file__).parents[1] / "docs"
    lines = (docs / "examples" / "generate" / "answers.jsonl").read_text().splitlines()
    held = {row["query"]: row["answer"] for row in map(json.loads, lines)}
    with running_chat_server(tmp_path, answers=held) as server:
        queries = docs / "examples" / "generate" / "queries.txt"
        report = generate(make_job(server, queries=queries, domain="travel"))
    shown = json.loads((docs / "results" / "travel-generation.json").read_text())
    assert shown.items() >= report.as_json().items()
