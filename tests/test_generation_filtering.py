"""Filters of a generation: chosen, changed without asking again, and shown in a table."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from generation_jobs import answers, command, outcomes, question
from servers.processes import running_chat_server

from semantic_router_lora.cli.output import print_table
from semantic_router_lora.errors import InputError
from semantic_router_lora.generation.filters.candidate import Removed
from semantic_router_lora.generation.filters.pipeline import FilterSettings
from semantic_router_lora.generation.job import generate
from semantic_router_lora.generation.report import GenerationReport
from semantic_router_lora.generation.settings import read_thresholds


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


def test_tables_show_texts_as_they_are(capsys):
    report = GenerationReport()
    report.remove(
        Removed("prompt_leak", "paraphrase", "[/INST] :smile: [b]x[/b]", "q [/q]", "leak")
    )
    print_table(report.filter_table())
    assert "'[/INST] :smile: [b]x[/b]' for 'q [/q]'" in capsys.readouterr().out
