"""Endpoints of a generation: their keys, what they refuse, and what is done when they fail."""

from __future__ import annotations

import json
import subprocess
import traceback
from collections import Counter

import httpx
import pytest
from generation_jobs import answers, command, outcomes, question
from servers.processes import running_chat_server

from semantic_router_lora.errors import EndpointError, InputError
from semantic_router_lora.generation.endpoints import Endpoint, backoff
from semantic_router_lora.generation.job import generate
from semantic_router_lora.generation.places import Persistence
from semantic_router_lora.generation.replies import read_reply

KEY = "sk-verysecret-0123456789"


def an_endpoint(key: str | None = None) -> Endpoint:
    return Endpoint("http://localhost/v1", "m", key=key, schema={}, timeout=1.0, request={})


def test_the_key_appears_nowhere(tmp_path, make_job, monkeypatch, capfd):
    monkeypatch.setenv("MY_KEY", KEY)
    held = answers(5)
    held[question(0)] = held[question(0)].replace("repair steps", f"repair steps {KEY}")
    with running_chat_server(tmp_path, answers=held, api_key=KEY) as server:
        report = generate(make_job(server, count=5, key_variable="MY_KEY"), show_progress=True)
        assert outcomes(report) == (5, 0, 0)
        assert "bicycle part 0 repair steps ***" in (tmp_path / "out.jsonl").read_text()
        monkeypatch.setenv("MY_KEY", KEY + "9")
        job = make_job(server, count=5, key_variable="MY_KEY", output="wrong.jsonl")
        with pytest.raises(
            EndpointError, match=r"the key is not accepted.*Bearer \*\*\*"
        ) as caught:
            generate(job)
    trace = "".join(traceback.format_exception(caught.value))
    seen = [*capfd.readouterr(), str(caught.value), trace]
    seen += [path.read_text() for path in tmp_path.glob("*.jsonl*")]
    assert len(seen) >= 6
    assert not any(KEY in text for text in seen)
    monkeypatch.setenv("MY_KEY", KEY + "é")
    with pytest.raises(InputError, match="no header can"):
        generate(job)
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(InputError, match="MY_KEY holds no key"):
        generate(job)
    with pytest.raises(InputError, match="leave it out"):
        generate(make_job(endpoints=["http://me:secret@localhost/v1"], output="url.jsonl"))


def test_the_words_of_a_server_are_kept_but_for_the_key():
    reply = httpx.Response(
        200, json={"choices": [{"message": {"content": "sk-0123456789 ollama"}}]}
    )
    assert read_reply(reply, "sk-0123456789").text == "*** ollama"
    assert read_reply(reply, "ollama").text == "sk-0123456789 ollama", "a word, and no secret"
    assert an_endpoint()._safe("none of\nit") == "none of it"
    assert an_endpoint(" abc ")._safe("no key abc") == "no key ***"


def test_a_server_is_asked_without_what_it_refuses(tmp_path, make_job):
    fields = ("max_tokens", "temperature")
    with running_chat_server(
        tmp_path, answers=answers(30), json_schema=False, refused_fields=fields
    ) as server:
        assert outcomes(generate(make_job(server, count=30))) == (30, 0, 0)
        refused = Counter(request["refused"] for request in server.requests)
        assert refused.keys() == {*fields, "no_json_schema", None}
        assert max(refused[name] for name in refused if name) <= 8
        assert len(server.answered) == 30


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


def test_queries_that_are_refused_one_after_the_other_can_be_got_over(tmp_path, make_job):
    refused = [{"fault": "400", "contains": f" {n} ", "times": None} for n in range(12)]
    with running_chat_server(tmp_path, answers=answers(20), faults=refused) as server:
        with pytest.raises(EndpointError, match=r"10 queries in a row.*raise --breaker.*400"):
            generate(make_job(server, count=20, concurrency=1))
        options = ("--resume", "--breaker", "13")
        done = subprocess.run(
            command(make_job(server, count=20), *options), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    report = json.loads(make_job(count=20).report.read_text())
    assert (report["written"], report["failed"]) == (8, {"status 400": 12})


def test_endpoints_share_a_job_and_stand_in_for_one_that_goes(tmp_path, make_job):
    gone = [{"fault": "500", "after": 10, "times": None}]
    with (
        running_chat_server(tmp_path, answers=answers(80), latency=0.02) as good,
        running_chat_server(tmp_path, answers=answers(80), latency=0.02, faults=gone) as bad,
    ):
        persistence = Persistence(attempts=3, backoff=0.05, breaker=4)
        job = make_job(
            count=80, endpoints=[good.url, bad.url], concurrency=4, persistence=persistence
        )
        assert outcomes(generate(job)) == (80, 0, 0)
        assert len(bad.answered) == 10
        assert sorted(good.answered + bad.answered) == sorted(map(question, range(80)))


def test_the_last_queries_of_a_bad_endpoint_go_to_the_others(tmp_path, make_job):
    """Too few for it to be given up."""
    bad = [{"fault": "500", "times": None}]
    stays = [{"fault": "500", "contains": " 7 ", "times": None}]
    with (
        running_chat_server(tmp_path, answers=answers(20), faults=stays) as good,
        running_chat_server(tmp_path, answers=answers(20), faults=bad) as broken,
    ):
        urls = [broken.url, "http://127.0.0.1:9/v1", good.url]
        assert outcomes(generate(make_job(count=20, endpoints=urls, concurrency=3))) == (19, 0, 1)
        assert Counter(good.answered) == Counter(question(n) for n in range(20) if n != 7)
