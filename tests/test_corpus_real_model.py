"""Files to sharded vectors with the real model: the command, several processes, Ray."""

from __future__ import annotations

import os

import numpy as np
import pytest
from corpus_jobs import TEXTS, all_vectors, write_jsonl

from semantic_router_lora.errors import InputError
from semantic_router_lora.errors import SemanticRouterLoraError as AnyError

pytestmark = pytest.mark.usefixtures("small_blocks")
BASE = "sentence-transformers/all-MiniLM-L6-v2"


def command(*arguments):
    import typer
    from typer.testing import CliRunner

    from semantic_router_lora.cli.encode import encode

    app = typer.Typer()
    app.command()(encode)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def embedder():
    from semantic_router_lora import Embedder

    return Embedder(BASE)


def test_the_command_gives_the_vectors_of_the_embedder(tmp_path, embedder):
    texts = TEXTS[:40]
    path = write_jsonl(tmp_path / "in.jsonl", texts)
    done = command(path, "-o", tmp_path / "out", "--reference", BASE, "--shard-rows", 25)
    assert done.exit_code == 0, done.output
    assert "40 vectors of 384 numbers in 2 shards" in done.output
    vectors = all_vectors(tmp_path / "out", fingerprint=embedder.fingerprint)
    np.testing.assert_allclose(vectors, embedder.encode(texts), atol=1e-6)


def test_a_model_that_does_not_exist_is_one_error(tmp_path):
    path = write_jsonl(tmp_path / "in.jsonl", TEXTS)
    done = command(path, "-o", tmp_path / "out", "--adapter", "no-such-adapter")
    assert isinstance(done.exception, AnyError)
    assert "'no-such-adapter' is neither bundled" in str(done.exception)


@pytest.mark.slow
def test_several_processes_give_the_same_vectors(tmp_path, embedder):
    texts = TEXTS * 5
    path = write_jsonl(tmp_path / "in.jsonl", texts)
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        done = command(path, "-o", folder, "--reference", BASE, "--processes", processes)
        assert done.exit_code == 0, done.output
        np.testing.assert_allclose(all_vectors(folder), embedder.encode(texts), atol=1e-6)


@pytest.fixture(scope="module")
def cluster():
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.mark.slow
def test_ray_workers_give_the_same_vectors_and_a_killed_one_loses_nothing(cluster, embedder):
    import psutil
    import ray.data

    from semantic_router_lora.corpus import encode_dataset

    texts = [f"how do I renew loan {number} of {number % 7} books?" for number in range(3200)]
    rows = [{"id": number, "text": text} for number, text in enumerate(texts)]
    dataset = ray.data.from_items(rows, override_num_blocks=32)
    embedded = encode_dataset(dataset, BASE, workers=2, batch_size=100)
    ids: list[int] = []
    vectors = np.empty((len(texts), embedder.dim), np.float32)
    for batch in embedded.iter_batches(batch_size=None, prefetch_batches=0):
        if not ids:
            workers = [
                process
                for process in psutil.process_iter(["cmdline"])
                if "MapWorker" in " ".join(process.info["cmdline"] or [])
            ]
            assert len(workers) == 2
            workers[0].kill()
        ids.extend(batch["id"])
        vectors[batch["id"]] = np.stack(batch["vector"])
    assert sorted(ids) == list(range(len(texts)))
    np.testing.assert_allclose(vectors, embedder.encode(texts), atol=1e-6)


@pytest.mark.slow
def test_ray_refuses_a_node_with_another_model(cluster):
    import ray.data

    from semantic_router_lora.corpus import encode_dataset

    dataset = ray.data.from_items([{"text": "a"}])
    embedded = encode_dataset(dataset, BASE, fingerprint="0123456789abcdef")
    with pytest.raises(Exception, match="expected 0123456789abcdef"):
        embedded.take_all()
    with pytest.raises(InputError, match="no column 'body'"):
        encode_dataset(dataset, BASE, text_column="body")
