"""Generation against a server that fails in every way: nothing is lost, nothing paid twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from pathlib import Path

import pytest
from servers.processes import running_chat_server

from semantic_router_lora.data.check import check_files
from semantic_router_lora.data.triplets import read_triplets
from semantic_router_lora.errors import DataError, EndpointError, InputError
from semantic_router_lora.generation.asking import Persistence
from semantic_router_lora.generation.filters.pipeline import FilterSettings
from semantic_router_lora.generation.job import GenerationJob, generate
from semantic_router_lora.generation.settings import read_thresholds
from semantic_router_lora.generation.shard import Shard

QUICK = Persistence(attempts=4, backoff=0.01)
KEY = "sk-verysecret-0123456789"
TRAPS = ("aspect", "entity", "number", "negation", "scope", "role")


def question(number: int) -> str:
    return f"how do I repair part {number} of my old bicycle"


def answer(query: str) -> str:
    """An answer whose texts pass every filter of words."""
    part = query.split()[5]
    others = ("clean", "replace", "paint", "buy", "sell", "remove")
    return json.dumps(
        {
            "paraphrases": [
                f"my old bike's part {part} is broken, what now?",
                f"bicycle part {part} repair steps",
                f"fixing piece {part} on an ancient bike?",
            ],
            "negatives": {
                trap: f"how do I {verb} part {part} of my old bicycle"
                for trap, verb in zip(TRAPS, others, strict=True)
            },
        }
    )


@pytest.fixture
def make_job(tmp_path):
    def make(server=None, count: int = 40, output: str = "out.jsonl", **options) -> GenerationJob:
        queries = tmp_path / f"queries-{count}.txt"
        queries.write_text("".join(question(number) + "\n" for number in range(count)))
        options = {"persistence": QUICK, "concurrency": 8, "timeout": 5.0} | options
        return GenerationJob(
            **{"queries": queries, "output": tmp_path / output, "domain": "bikes", "model": "m"}
            | {"endpoints": [server.url] if server else [], "filters": FilterSettings()}
            | options
        )

    return make


def answers(count: int) -> dict[str, str]:
    return {question(number): answer(question(number)) for number in range(count)}


def outcomes(report) -> tuple[int, int, int]:
    found = report.written, report.rejected.total(), report.failed.total()
    assert sum(found) + report.unasked == report.queries
    return found


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


def command(job: GenerationJob, *more: str) -> list[str]:
    options = ["--output", str(job.output), "--domain", job.domain, "--model", job.model]
    options += ["--endpoint", job.endpoints[0], "--embedder", "none", "--concurrency", "8"]
    return [
        sys.executable,
        "-m",
        "semantic_router_lora",
        "generate",
        str(job.queries),
        *options,
        *more,
    ]


def test_kill_and_interrupt_lose_nothing(tmp_path, make_job):
    """SIGKILL, then SIGINT, then to the end: the files of a run that nothing stopped."""
    count = 160
    with running_chat_server(tmp_path, answers=answers(count), latency=0.05) as server:
        whole = make_job(server, count=count, output="whole.jsonl", concurrency=64)
        assert outcomes(generate(whole)) == (count, 0, 0)
        done = len(server.requests)
        job = make_job(server, count=count)

        def stop(number: signal.Signals, at: int, *more: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(command(job, *more), text=True, stderr=subprocess.PIPE)
            while server.request_count() < done + at:
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(number)
            process.wait(30)
            return process

        killed = stop(signal.SIGKILL, 40)
        assert killed.returncode == -signal.SIGKILL
        kept = len(job.journal.read_bytes().split(b"\n")) - 2
        assert 20 <= kept <= 60
        assert not job.output.exists()
        interrupted = stop(signal.SIGINT, 90, "--resume")
        assert interrupted.returncode == 130
        assert "use --resume" in interrupted.stderr.read()
        lines = [json.loads(line) for line in job.journal.read_bytes().splitlines()[1:]]
        assert len({line["row"] for line in lines}) == len(lines)
        # what was in flight at the Ctrl-C came in; at the kill it was lost, and no more than that
        assert server.log()[-1]["event"] == "sent"
        assert len(lines) + 8 >= len(server.requests) - done
        with pytest.raises(InputError, match="go on with --resume"):
            generate(job)
        assert outcomes(generate(job, resume=True)) == (count, 0, 0)
        asked = Counter(request["query"] for request in server.requests[done:])
        assert len(asked) == count
        assert sum(asked.values()) <= count + 8
    for name in ("", ".dropped"):
        assert (tmp_path / f"out{name}.jsonl").read_bytes() == (
            tmp_path / f"whole{name}.jsonl"
        ).read_bytes()


def test_a_gone_endpoint_stops_the_job_and_its_queries_are_not_failed(tmp_path, make_job):
    with running_chat_server(tmp_path, answers=answers(40), latency=0.02) as server:
        job = make_job(
            server, count=40, persistence=Persistence(attempts=2, backoff=0.01, breaker=5)
        )
        assert outcomes(generate(job)) == (40, 0, 0)
        rest = job.journal.read_bytes().splitlines(keepends=True)[:21]
        job.journal.write_bytes(b"".join(rest))
        port = int(server.url.split(":")[2].split("/")[0])
    with pytest.raises(EndpointError, match=r"(?s)20 of 40 queries.*5 queries in a row"):
        generate(job, resume=True)
    assert job.journal.read_bytes() == b"".join(rest)
    few = make_job(count=3, endpoints=job.endpoints, output="few.jsonl", persistence=QUICK)
    with pytest.raises(EndpointError, match=r"3 of 3 queries.*Cannot connect"):
        generate(few)
    with running_chat_server(tmp_path, answers=answers(40), port=port) as server:
        assert outcomes(generate(job, resume=True)) == (40, 0, 0)
        assert len(server.requests) == 20


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


def test_a_full_disk_loses_no_more_than_what_was_in_flight(tmp_path, make_job, monkeypatch):
    write = os.write

    def nearly_full(file: int, data: bytes) -> int:
        left = 12_000 - os.fstat(file).st_size
        return write(file, data[: max(0, left)])

    with running_chat_server(tmp_path, answers=answers(40)) as server:
        job = make_job(server)
        with monkeypatch.context() as patched:
            patched.setattr("semantic_router_lora.generation.journal.os.write", nearly_full)
            with pytest.raises(InputError, match=r"journal.jsonl cannot be written: No space left"):
                generate(job)
        lines = job.journal.read_bytes().split(b"\n")
        assert len(lines) > 15
        assert lines[-1] == b""
        assert outcomes(generate(job, resume=True)) == (40, 0, 0)
        assert len(server.requests) <= 40 + job.concurrency


def test_a_file_of_queries_may_grow_but_not_change_while_it_is_asked(tmp_path, make_job):
    with running_chat_server(tmp_path, answers=answers(41), latency=0.05) as server:
        job = make_job(server)

        def change(how: str) -> None:
            seen = server.request_count()
            while server.request_count() == seen:
                time.sleep(0.005)
            text = job.queries.read_text()
            job.queries.write_text(text + question(40) if how == "grow" else text.upper())

        for how, expected in (("grow", (40, 0, 0)), ("change", None)):
            job.queries.write_text("".join(question(number) + "\n" for number in range(40)))
            job.journal.unlink(missing_ok=True)
            changing = threading.Thread(target=change, args=[how])
            changing.start()
            if expected is not None:
                assert outcomes(generate(job)) == expected
            else:
                with pytest.raises(DataError, match="has changed while"):
                    generate(job)
            changing.join()


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


def test_shards_together_are_the_whole(tmp_path, make_job):
    with running_chat_server(tmp_path, answers=answers(60)) as server:
        whole = generate(make_job(server, count=60, output="whole.jsonl"))
        jobs = [
            make_job(server, count=60, output=f"part-{n}.jsonl", shard=Shard(n, 2)) for n in (1, 2)
        ]
        parts = [generate(job) for job in jobs]
        assert sum(part.queries for part in parts) == whole.queries == 60
    rows = [line for job in jobs for line in job.output.read_text().splitlines()]
    assert sorted(rows) == sorted((tmp_path / "whole.jsonl").read_text().splitlines())
    assert check_files([tmp_path / "whole.jsonl"]).duplicates == []


def test_answers_are_filtered_again_without_asking(tmp_path, make_job):
    held = answers(6)
    copied = json.loads(held[question(0)])
    copied["paraphrases"][0] = question(0) + "?"
    copied["paraphrases"][1] = json.loads(held[question(1)])["paraphrases"][1]
    held[question(0)] = json.dumps(copied)
    with running_chat_server(tmp_path, answers=held) as server:
        job = make_job(server, count=6)
        first = generate(job)
        assert first.removed["copy"] == 1
        assert first.removed["repeated"] == 1
        assert len(server.requests) == 6
    off = make_job(
        count=6, filters=FilterSettings(disabled=frozenset({"copy"})), drop_repeated=False
    )
    report = generate(off, ask=False)
    assert "copy" not in report.removed
    assert "repeated" not in report.removed
    with pytest.raises(InputError, match="no answers to filter"):
        generate(make_job(count=6, output="other.jsonl"), ask=False)
    with pytest.raises(InputError, match="nothing is asked"):
        generate(off, ask=False, retry_failed=True)
    with pytest.raises(InputError, match="would be written over"):
        make_job(queries=job.dropped)


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


def test_thresholds_are_read_and_what_is_none_is_refused(make_job, tmp_path):
    with running_chat_server(tmp_path, answers=answers(3)) as server:
        job = make_job(server, count=3)
        assert outcomes(generate(job)) == (3, 0, 0)
        options = ("--filter-only", "--threshold", "max_words=8", "--threshold", "word_copy=0.5")
        done = subprocess.run(command(job, *options), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    removed = json.loads(job.report.read_text())["removed"]
    assert removed["length"]["examples"][0]["reason"] == "9 words, 2 to 8 wanted"
    assert read_thresholds(["leak_words=9", "far_paraphrase=.5"]) == {
        "leak_words": 9,
        "far_paraphrase": 0.5,
    }
    for wrong, message in (
        ("size=3", "no threshold 'size'; there are min_words"),
        ("disabled=copy", "no threshold 'disabled'"),
        ("min_words", "min_words is '', expected a whole number"),
        ("min_words=2.5", "expected a whole number"),
        ("word_copy=high", "word_copy is 'high', expected a number"),
    ):
        with pytest.raises(InputError, match=message):
            read_thresholds([wrong])


def test_an_unknown_filter_is_an_error_that_lists_them(make_job, tmp_path):
    job = make_job()
    done = subprocess.run(
        [*command(make_job(endpoints=["http://localhost:9/v1"])), "--disable", "nonsense"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert done.returncode == 1
    assert "nonsense" in done.stderr
    assert "far_paraphrase" in done.stderr
    assert not Path(job.journal).exists()


def test_the_example_of_the_docs(tmp_path, make_job):
    docs = Path(__file__).parents[1] / "docs"
    lines = (docs / "examples" / "generate" / "answers.jsonl").read_text().splitlines()
    held = {row["query"]: row["answer"] for row in map(json.loads, lines)}
    with running_chat_server(tmp_path, answers=held) as server:
        queries = docs / "examples" / "generate" / "queries.txt"
        report = generate(make_job(server, queries=queries, domain="travel"))
    shown = json.loads((docs / "results" / "travel-generation.json").read_text())
    assert shown.items() >= report.as_json().items()
