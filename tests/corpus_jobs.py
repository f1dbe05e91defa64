"""A job of embedding a small file in small blocks, and what it wrote."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pytest
from digests import load

from semantic_router_lora.corpus import blocks, parquet_blocks, read_vectors
from semantic_router_lora.corpus.encoding import CorpusJob, run

SHARD_ROWS = 40
TEXTS = ["", "  ", *(f"text {number}, größer" for number in range(108))]


@pytest.fixture
def small_blocks(monkeypatch):
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
def corpus_job(small_blocks, tmp_path):
    return CorpusJob(
        write_jsonl(tmp_path / "in.jsonl", TEXTS), tmp_path / "out", shard_rows=SHARD_ROWS
    )


def changed(job, **values):
    return CorpusJob(**{**vars(job), **values})


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def all_vectors(folder, **options):
    return np.concatenate([vectors for _, vectors in read_vectors(folder, **options)])


def killed(file, output, pids):
    for module in (blocks, parquet_blocks):
        module.BLOCK_ROWS = 16
    job = CorpusJob(Path(file), Path(output), shard_rows=SHARD_ROWS)
    run(job, [functools.partial(load, Path(pids))] * 2)
