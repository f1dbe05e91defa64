"""Files of any size to sharded vectors: what is written, and read again."""

from __future__ import annotations

import csv
import hashlib

import numpy as np
import pytest
from corpus_jobs import SHARD_ROWS, TEXTS, all_vectors, changed, contents, write_jsonl
from digests import digests, load

from semantic_router_lora.corpus import read_vectors
from semantic_router_lora.corpus.encoding import CorpusJob, run
from semantic_router_lora.errors import AdapterMismatchError, DataError

pytestmark = pytest.mark.usefixtures("small_blocks")


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


def test_parquet_shards_hold_all_columns_and_the_same_vectors(corpus_job):
    import pyarrow
    import pyarrow.parquet

    corpus_job = changed(corpus_job, format="parquet")
    run(corpus_job, [load, load])
    tables = [
        pyarrow.parquet.read_table(path)
        for path in sorted(corpus_job.output.glob("part-*.parquet"))
    ]
    table = pyarrow.concat_tables(tables)
    assert table.column("text").to_pylist() == TEXTS
    ids = [float(number) for number in range(110)]
    ids[70] = 0.5  # a field has one type in all shards
    assert table.column("id").to_pylist() == ids
    assert table.column("more").to_pylist()[69:72] == [None, {"tags": ["a"]}, None]
    assert table.schema.field("vector").type == pyarrow.list_(pyarrow.float32(), 8)
    np.testing.assert_array_equal(all_vectors(corpus_job.output), digests(TEXTS))

    again = changed(corpus_job, output=corpus_job.output.with_name("again"))
    run(again, [load])
    assert contents(again.output) == contents(corpus_job.output)


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


def test_reading_checks_what_is_there(corpus_job):
    run(corpus_job, [load])
    with pytest.raises(AdapterMismatchError, match="expected fedcba"):
        read_vectors(corpus_job.output, fingerprint="fedcba9876543210")
    shard = corpus_job.output / "part-00001.npy"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    with pytest.raises(DataError, match=r"part-00001.npy is not what the manifest says"):
        all_vectors(corpus_job.output, verify=True)
    shard.unlink()
    with pytest.raises(DataError, match=r"part-00001.npy is missing"):
        read_vectors(corpus_job.output)
    (corpus_job.output / "manifest.json").write_text("{}")
    with pytest.raises(DataError, match="is no manifest"):
        read_vectors(corpus_job.output)
