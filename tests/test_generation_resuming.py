"""Jobs of generation that stop in the middle: nothing is lost, nothing paid twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter

import pytest
from generation_jobs import QUICK, answers, command, outcomes, question
from servers.processes import running_chat_server

from semantic_router_lora.errors import DataError, EndpointError, InputError
from semantic_router_lora.generation.asking import Asking
from semantic_router_lora.generation.endpoints import Endpoint
from semantic_router_lora.generation.job import generate
from semantic_router_lora.generation.journal import Journal
from semantic_router_lora.generation.places import Persistence
from semantic_router_lora.generation.prompts import load_prompt
from semantic_router_lora.generation.queries import scan_queries
from semantic_router_lora.generation.replies import NoAnswerError


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
