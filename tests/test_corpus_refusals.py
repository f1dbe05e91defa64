"""Embedding a file: what is refused, before anything is written or replaced."""

from __future__ import annotations

import functools

import pytest
from corpus_jobs import SHARD_ROWS, TEXTS, changed, contents, write_jsonl
from digests import load

from semantic_router_lora.corpus.encoding import run
from semantic_router_lora.corpus.manifest import read_manifest
from semantic_router_lora.corpus.shards import ShardWriter
from semantic_router_lora.errors import DataError, InputError


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
def test_a_bad_row_is_named_before_anything_is_written(corpus_job, line, message):
    lines = corpus_job.file.read_text().splitlines()
    corpus_job.file.write_text("\n".join([*lines[:100], line, *lines[101:]]))
    with pytest.raises(DataError, match=f"in.jsonl{message}"):
        run(corpus_job, [load])
    assert not contents(corpus_job.output)


def test_columns_that_parquet_cannot_hold_are_refused(corpus_job):
    corpus_job = changed(corpus_job, format="parquet")
    corpus_job.file.write_text('{"text": "a", "vector": 1}\n')
    with pytest.raises(DataError, match="has a field 'vector' already"):
        run(corpus_job, [load])
    corpus_job.file.write_text('{"text": "a", "n": 1}\n{"text": "a", "n": "one"}\n')
    with pytest.raises(DataError, match=r"in.jsonl:2: field 'n' fits into no Parquet column"):
        run(corpus_job, [load])


@pytest.mark.parametrize(
    ("first", "line"),
    [
        ('"n": 9007199254740993', '"n": 0.5'),
        ('"n": 0.5', '"n": 9007199254740993'),
        ('"n": [1]', '"n": ["one"]'),
        ('"n": 1', '"n": 18446744073709551616'),
        ('"n": "a"', '"n": "\\ud800"'),
        ('"n": 1', '"n": 1, "\\ud800": 1'),
    ],
)
@pytest.mark.parametrize("rows_between", [0, 30])
def test_values_that_parquet_cannot_hold_are_named_at_the_scan(
    corpus_job, first, line, rows_between
):
    corpus_job = changed(corpus_job, format="parquet")
    rows = [first, *['"m": 1'] * rows_between, line]
    corpus_job.file.write_text("".join(f'{{"text": "die", {row}}}\n' for row in rows))
    big_first = "9007199254740993" in first
    place = 1 if big_first else len(rows)
    with pytest.raises(DataError, match=f"in.jsonl:{place}: field .* fits into no Parquet column"):
        run(corpus_job, [load])


def test_what_another_job_began_is_refused(corpus_job, tmp_path):
    run(corpus_job, [load])
    before = contents(corpus_job.output)
    with pytest.raises(InputError, match="holds vectors: resume"):
        run(corpus_job, [load])
    other = changed(corpus_job, format="parquet", shard_rows=50)
    with pytest.raises(InputError) as refused:
        run(other, [functools.partial(load, fingerprint="other")], resume=True)
    assert "fingerprint was '0123456789abcdef' and is 'other'" in str(refused.value)
    assert "format was 'npy' and is 'parquet'; shard_rows was 40 and is 50" in str(refused.value)
    moved = corpus_job.file.rename(tmp_path / "moved.jsonl")
    assert run(changed(corpus_job, file=moved), [load], resume=True).complete
    write_jsonl(corpus_job.file, [*TEXTS, "one more"])
    with pytest.raises(InputError, match=r"input_sha256 was .* rows was 110 and is 111"):
        run(corpus_job, [load], resume=True)
    assert contents(corpus_job.output) | {"manifest.json": b""} == before | {"manifest.json": b""}

    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes").touch()
    with pytest.raises(InputError, match="is not empty: it holds notes"):
        run(changed(corpus_job, output=tmp_path / "foreign"), [load], resume=True)


def test_a_folder_of_others_is_left_as_it_is(corpus_job):
    corpus_job.output.mkdir()
    for name in (".lock", "notes"):
        (corpus_job.output / name).write_text("precious")
    before = contents(corpus_job.output)
    for resume in (False, True):
        with pytest.raises(InputError, match=r"is not empty: it holds \.lock"):
            run(corpus_job, [load], resume=resume)
    assert contents(corpus_job.output) == before


def test_an_input_that_changes_on_the_way_is_refused(corpus_job, monkeypatch):
    write = ShardWriter.write

    def append(writer, block, vectors):
        write(writer, block, vectors)
        if block.start == SHARD_ROWS:
            with corpus_job.file.open("a") as file:
                file.write('{"text": "late"}\n')

    monkeypatch.setattr(ShardWriter, "write", append)
    with pytest.raises(DataError, match="changed while it was embedded"):
        run(corpus_job, [load])
    assert [shard.start for shard in read_manifest(corpus_job.output).shards] == [0]


def test_two_processes_cannot_write_to_one_folder(corpus_job):
    from filelock import FileLock

    corpus_job.output.mkdir()
    with (
        FileLock(corpus_job.output / ".semantic-router-lora.lock"),
        pytest.raises(InputError, match="in use by another process"),
    ):
        run(corpus_job, [load])


@pytest.mark.parametrize(
    "values",
    [
        {"shard_rows": 0},
        {"processes": 0},
        {"devices": ()},
        {"devices": ("cuda:0", "cuda:1"), "processes": 1},
        {"format": "csv"},
        {"file": "queries.txt"},
        {"output": "vectors"},
        {"shard_rows": "100"},
        {"shard_rows": 10.5},
        {"shard_rows": None},
        {"processes": True},
        {"devices": "cpu"},
    ],
)
def test_options_out_of_range(corpus_job, values):
    with pytest.raises(InputError, match=next(iter(values))[:6]):
        changed(corpus_job, **values).check()
