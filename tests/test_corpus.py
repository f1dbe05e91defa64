"""Files of any size to sharded vectors: what is written, what survives, what is refused."""

from __future__ import annotations

import csv
import functools
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from digests import digests, load

from semantic_router_lora.corpus import blocks, parquet_blocks, read_vectors
from semantic_router_lora.corpus.encoding import CorpusJob, run
from semantic_router_lora.corpus.manifest import read_manifest
from semantic_router_lora.corpus.shards import ShardWriter
from semantic_router_lora.errors import AdapterMismatchError, DataError, InputError
from semantic_router_lora.errors import SemanticRouterLoraError as AnyError

BASE = "sentence-transformers/all-MiniLM-L6-v2"
SHARD_ROWS = 40
TEXTS = ["", "  ", *(f"text {number}, größer" for number in range(108))]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    for module in (blocks, parquet_blocks):
        monkeypatch.setattr(module, "BLOCK_ROWS", 16)


def write_jsonl(path, texts):
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(texts):
            row = {"text": text, "id": number}
            if number == 70:
                row |= {"id": 0.5, "more": {"tags": ["a"]}}
            file.write(json.dumps(row) + "\n")
    return path


@pytest.fixture
def job(tmp_path):
    return CorpusJob(
        write_jsonl(tmp_path / "in.jsonl", TEXTS), tmp_path / "out", shard_rows=SHARD_ROWS
    )


def changed(job, **values):
    return CorpusJob(**{**vars(job), **values})


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def all_vectors(folder, **options):
    return np.concatenate([vectors for _, vectors in read_vectors(folder, **options)])


# what is written


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".txt", ".parquet"])
def test_every_kind_of_file_gives_its_rows_in_order(tmp_path, suffix):
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / f"in{suffix}"
    if suffix == ".jsonl":
        write_jsonl(path, TEXTS)
    elif suffix == ".txt":
        path.write_text("\n".join(TEXTS), encoding="utf-8")
    elif suffix == ".parquet":
        table = pyarrow.table({"n": range(len(TEXTS)), "text": TEXTS})
        pyarrow.parquet.write_table(table, path, row_group_size=17)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["id", "text"], *enumerate(TEXTS)])
    job = CorpusJob(path, tmp_path / "out", shard_rows=SHARD_ROWS)
    manifest = run(job, [load])
    assert [(shard.start, shard.rows) for shard in manifest.shards] == [(0, 40), (40, 40), (80, 30)]
    assert (manifest.rows, manifest.dim, manifest.reference) == (110, 8, "digests")
    read = list(read_vectors(job.output, fingerprint="0123456789abcdef", verify=True))
    assert [rows for rows, _ in read] == [range(40), range(40, 80), range(80, 110)]
    assert all(isinstance(vectors, np.memmap) for _, vectors in read)
    np.testing.assert_array_equal(all_vectors(job.output), digests(TEXTS))
    assert sorted(contents(job.output)) == [
        *("manifest.json", "part-00000.npy", "part-00001.npy", "part-00002.npy")
    ]
    hashed = hashlib.sha256(contents(job.output)["part-00002.npy"]).hexdigest()
    assert manifest.shards[2].sha256 == hashed


def test_parquet_shards_hold_all_columns_and_the_same_vectors(job):
    import pyarrow
    import pyarrow.parquet

    job = changed(job, format="parquet")
    run(job, [load, load])
    tables = [
        pyarrow.parquet.read_table(path) for path in sorted(job.output.glob("part-*.parquet"))
    ]
    table = pyarrow.concat_tables(tables)
    assert table.column("text").to_pylist() == TEXTS
    ids = [float(number) for number in range(110)]
    ids[70] = 0.5  # a field has one type in all shards
    assert table.column("id").to_pylist() == ids
    assert table.column("more").to_pylist()[69:72] == [None, {"tags": ["a"]}, None]
    assert table.schema.field("vector").type == pyarrow.list_(pyarrow.float32(), 8)
    np.testing.assert_array_equal(all_vectors(job.output), digests(TEXTS))

    again = changed(job, output=job.output.with_name("again"))
    run(again, [load])
    assert contents(again.output) == contents(job.output)


def test_columns_of_parquet_input_keep_their_types(tmp_path):
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table(
        {
            "when": pyarrow.array([1_000_000_001, None, 3], pyarrow.timestamp("ns")),
            "text": pyarrow.array(["a", "b", "a"]).dictionary_encode(),
        },
        metadata={"huggingface": "{}"},  # would say that there is no column of vectors
    )
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    job = CorpusJob(tmp_path / "in.parquet", tmp_path / "out", format="parquet")
    run(job, [load])
    written = pyarrow.parquet.read_table(job.output / "part-00000.parquet")
    assert written.drop_columns(["vector"]).equals(table)
    assert written.schema.metadata is None


# what survives


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
def test_a_stopped_run_resumes_to_the_same_bytes(job, monkeypatch, vector_format):
    whole = changed(job, output=job.output.with_name("whole"), format=vector_format)
    run(whole, [load])
    job = changed(job, format=vector_format)
    with monkeypatch.context() as patch:
        stop_at_shard(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            run(job, [load])
    names = sorted(contents(job.output))
    assert names == ["manifest.json", f"part-00000.{vector_format}", f"part-00001.{vector_format}"]
    with pytest.raises(DataError, match="80 of 110 rows"):
        read_vectors(job.output)
    kept = (job.output / names[1]).stat().st_mtime_ns
    (job.output / names[2]).write_bytes(b"damaged")
    (job.output / "part-00002.npy.part").write_bytes(b"left by a kill")
    run(job, [load], resume=True)
    assert contents(job.output) == contents(whole.output)
    assert (job.output / names[1]).stat().st_mtime_ns == kept


def test_a_killed_run_resumes_to_the_same_bytes_and_leaves_no_process(job, tmp_path):
    texts = [*TEXTS[:60], *["wait"] * 50]
    write_jsonl(job.file, texts)
    pids = tmp_path / "pids"
    pids.mkdir()
    code = (
        f"import test_corpus as t; t.killed({str(job.file)!r}, {str(job.output)!r}, {str(pids)!r})"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parent) as process:
        wait_for(
            lambda: (job.output / "part-00000.npy").exists() and len(list(pids.iterdir())) == 2
        )
        process.kill()
    wait_for(lambda: not any(alive(int(path.stem)) for path in pids.glob("*.pid")))
    assert (job.output / ".lock").exists()  # nobody holds it any more
    assert not read_manifest(job.output).complete
    write_jsonl(job.file, texts)  # the same bytes at another time
    run(job, [load], resume=True)
    whole = changed(job, output=job.output.with_name("whole"))
    run(whole, [load])
    assert contents(job.output) == contents(whole.output)


def killed(file, output, pids):
    for module in (blocks, parquet_blocks):
        module.BLOCK_ROWS = 16
    job = CorpusJob(Path(file), Path(output), shard_rows=SHARD_ROWS)
    run(job, [functools.partial(load, Path(pids))] * 2)


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


def test_a_worker_that_dies_is_replaced_and_loses_nothing(job, tmp_path):
    texts = [*TEXTS[:50], "die", *TEXTS[51:]]
    write_jsonl(job.file, texts)
    run(job, [functools.partial(load, tmp_path)] * 2)
    assert (tmp_path / "died").exists()
    assert len(list(tmp_path.glob("*.pid"))) >= 2  # of which one is dead
    np.testing.assert_array_equal(all_vectors(job.output), digests(texts))


def test_rows_that_always_kill_their_worker_are_named(job):
    write_jsonl(job.file, [*TEXTS[:50], "die", *TEXTS[51:]])
    with pytest.raises(AnyError, match=r"in.jsonl:41-56: 3 worker processes died.*status -9"):
        run(job, [load])
    assert [shard.start for shard in read_manifest(job.output).shards] == [0]


def test_a_row_that_cannot_be_embedded_is_named(job):
    write_jsonl(job.file, [*TEXTS[:50], "fail", *TEXTS[51:]])
    with pytest.raises(DataError, match=r"in.jsonl:51: ValueError: a text like no other"):
        run(job, [load])
    assert [shard.start for shard in read_manifest(job.output).shards] == [0]


# what is refused


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"other": "a"}', ":101: no field 'text'; the row has 'other'"),
        ('{"text": null}', ":101: field 'text' is None"),
        ('{"text": "\\ud800"}', ":101: field 'text' holds a lone surrogate"),
        ('{"text": ', ":101: not valid JSON"),
        ("[]", ":101: expected an object"),
    ],
)
def test_a_bad_row_is_named_before_anything_is_written(job, line, message):
    lines = job.file.read_text().splitlines()
    job.file.write_text("\n".join([*lines[:100], line, *lines[101:]]))
    with pytest.raises(DataError, match=f"in.jsonl{message}"):
        run(job, [load])
    assert not contents(job.output)


def test_columns_that_parquet_cannot_hold_are_refused(job):
    job = changed(job, format="parquet")
    job.file.write_text('{"text": "a", "vector": 1}\n')
    with pytest.raises(DataError, match="has a field 'vector' already"):
        run(job, [load])
    job.file.write_text('{"text": "a", "n": 1}\n{"text": "a", "n": "one"}\n')
    with pytest.raises(DataError, match="field 'n' fits into no Parquet column"):
        run(job, [load])


def test_what_another_job_began_is_refused(job, tmp_path):
    run(job, [load])
    before = contents(job.output)
    with pytest.raises(InputError, match="holds vectors: resume"):
        run(job, [load])
    other = changed(job, format="parquet", shard_rows=50)
    with pytest.raises(InputError) as refused:
        run(other, [functools.partial(load, fingerprint="other")], resume=True)
    assert "fingerprint was '0123456789abcdef' and is 'other'" in str(refused.value)
    assert "format was 'npy' and is 'parquet'; shard_rows was 40 and is 50" in str(refused.value)
    moved = job.file.rename(tmp_path / "moved.jsonl")
    assert run(changed(job, file=moved), [load], resume=True).complete
    write_jsonl(job.file, [*TEXTS, "one more"])
    with pytest.raises(InputError, match=r"input_sha256 was .* rows was 110 and is 111"):
        run(job, [load], resume=True)
    assert contents(job.output) | {"manifest.json": b""} == before | {"manifest.json": b""}

    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes").touch()
    with pytest.raises(InputError, match="is not empty: it holds notes"):
        run(changed(job, output=tmp_path / "foreign"), [load], resume=True)


def test_an_input_that_changes_on_the_way_is_refused(job, monkeypatch):
    write = ShardWriter.write

    def append(writer, block, vectors):
        write(writer, block, vectors)
        if block.start == SHARD_ROWS:
            with job.file.open("a") as file:
                file.write('{"text": "late"}\n')

    monkeypatch.setattr(ShardWriter, "write", append)
    with pytest.raises(DataError, match="changed while it was embedded"):
        run(job, [load])
    assert [shard.start for shard in read_manifest(job.output).shards] == [0]


def test_two_processes_cannot_write_to_one_folder(job):
    from filelock import FileLock

    job.output.mkdir()
    with (
        FileLock(job.output / ".lock"),
        pytest.raises(InputError, match="in use by another process"),
    ):
        run(job, [load])


@pytest.mark.parametrize(
    "values",
    [
        {"shard_rows": 0},
        {"processes": 0},
        {"devices": ()},
        {"devices": ("cuda:0", "cuda:1"), "processes": 1},
        {"format": "csv"},
    ],
)
def test_options_out_of_range(job, values):
    with pytest.raises(InputError):
        changed(job, **values).check()


def test_reading_checks_what_is_there(job):
    run(job, [load])
    with pytest.raises(AdapterMismatchError, match="expected fedcba"):
        read_vectors(job.output, fingerprint="fedcba9876543210")
    shard = job.output / "part-00001.npy"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    with pytest.raises(DataError, match=r"part-00001.npy is not what the manifest says"):
        all_vectors(job.output, verify=True)
    shard.unlink()
    with pytest.raises(DataError, match=r"part-00001.npy is missing"):
        read_vectors(job.output)
    (job.output / "manifest.json").write_text("{}")
    with pytest.raises(DataError, match="is no manifest"):
        read_vectors(job.output)


# with the real model


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
