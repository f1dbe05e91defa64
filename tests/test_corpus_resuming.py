"""Embedding a file: what a stop, a kill and a dying worker leave, and how it goes on."""

from __future__ import annotations

import functools
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from corpus_jobs import TEXTS, all_vectors, changed, contents, write_jsonl
from digests import digests, load

from semantic_router_lora.corpus import read_vectors
from semantic_router_lora.corpus.encoding import run
from semantic_router_lora.corpus.manifest import read_manifest
from semantic_router_lora.corpus.shards import ShardWriter
from semantic_router_lora.errors import DataError
from semantic_router_lora.errors import SemanticRouterLoraError as AnyError


def stop_at_shard(monkeypatch, number):
    """Press Ctrl-C when a shard is about to be finished."""
    finish = ShardWriter.finish
    finished = []

    def stop(writer):
        if len(finished) == number:
            raise KeyboardInterrupt
        finished.append(writer)
        return finish(writer)

    monkeypatch.setattr(ShardWriter, "finish", stop)


@pytest.mark.parametrize("vector_format", ["npy", "parquet"])
def test_a_stopped_run_resumes_to_the_same_bytes(corpus_job, monkeypatch, vector_format):
    whole = changed(corpus_job, output=corpus_job.output.with_name("whole"), format=vector_format)
    run(whole, [load])
    corpus_job = changed(corpus_job, format=vector_format)
    with monkeypatch.context() as patch:
        stop_at_shard(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            run(corpus_job, [load])
    names = sorted(contents(corpus_job.output))
    assert names == ["manifest.json", f"part-00000.{vector_format}", f"part-00001.{vector_format}"]
    with pytest.raises(DataError, match="80 of 110 rows"):
        read_vectors(corpus_job.output)
    kept = (corpus_job.output / names[1]).stat().st_mtime_ns
    (corpus_job.output / names[2]).write_bytes(b"damaged")
    (corpus_job.output / "part-00002.npy.part").write_bytes(b"left by a kill")
    run(corpus_job, [load], resume=True)
    assert contents(corpus_job.output) == contents(whole.output)
    assert (corpus_job.output / names[1]).stat().st_mtime_ns == kept


def test_a_killed_run_resumes_to_the_same_bytes_and_leaves_no_process(corpus_job, tmp_path):
    texts = [*TEXTS[:60], *["wait"] * 50]
    write_jsonl(corpus_job.file, texts)
    pids = tmp_path / "pids"
    pids.mkdir()
    folders = tuple(map(str, (corpus_job.file, corpus_job.output, pids)))
    code = f"import corpus_jobs; corpus_jobs.killed(*{folders!r})"
    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parent) as process:
        wait_for(
            lambda: (
                (corpus_job.output / "part-00000.npy").exists() and len(list(pids.iterdir())) == 2
            )
        )
        process.kill()
    wait_for(lambda: not any(alive(int(path.stem)) for path in pids.glob("*.pid")))
    assert (corpus_job.output / ".semantic-router-lora.lock").exists()  # nobody holds it any more
    assert not read_manifest(corpus_job.output).complete
    write_jsonl(corpus_job.file, texts)  # the same bytes at another time
    run(corpus_job, [load], resume=True)
    whole = changed(corpus_job, output=corpus_job.output.with_name("whole"))
    run(whole, [load])
    assert contents(corpus_job.output) == contents(whole.output)


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_worker_that_dies_is_replaced_and_loses_nothing(corpus_job, tmp_path):
    texts = [*TEXTS[:50], "die", *TEXTS[51:]]
    write_jsonl(corpus_job.file, texts)
    run(corpus_job, [functools.partial(load, tmp_path)] * 2)
    assert (tmp_path / "died").exists()
    assert len(list(tmp_path.glob("*.pid"))) >= 2  # of which one is dead
    np.testing.assert_array_equal(all_vectors(corpus_job.output), digests(texts))


def test_rows_that_always_kill_their_worker_are_named(corpus_job):
    write_jsonl(corpus_job.file, [*TEXTS[:50], "die", *TEXTS[51:]])
    with pytest.raises(AnyError, match=r"in.jsonl:41-56: 3 worker processes died.*status -9"):
        run(corpus_job, [load])
    assert [shard.start for shard in read_manifest(corpus_job.output).shards] == [0]


def test_a_row_that_cannot_be_embedded_is_named(corpus_job):
    write_jsonl(corpus_job.file, [*TEXTS[:50], "fail", *TEXTS[51:]])
    with pytest.raises(DataError, match=r"in.jsonl:51: ValueError: a text like no other"):
        run(corpus_job, [load])
    assert [shard.start for shard in read_manifest(corpus_job.output).shards] == [0]
