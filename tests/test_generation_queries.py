"""Files of queries: what of them is asked, in which shard, and which are refused."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from generation_jobs import answers
from servers.processes import running_chat_server

from semantic_router_lora.data.check import check_files
from semantic_router_lora.errors import DataError, InputError
from semantic_router_lora.generation.job import generate
from semantic_router_lora.generation.queries import OTHER_SHARD, query_key, scan_queries
from semantic_router_lora.generation.shard import Shard


def test_a_scan_finds_what_is_no_query(tmp_path):
    path = tmp_path / "queries.txt"
    rows = ["How do I  brew tea?", "", "how do i brew TEA?", "x" * 2001, "green tea temperature"]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8-sig")
    queries = scan_queries(path)
    assert queries.kinds.tolist() == [0, 1, 2, 3, 0]
    assert list(queries.texts()) == [(0, "How do I brew tea?"), (4, "green tea temperature")]
    path.write_text("tea" + " " * 2000 + "leaves\ntea leaves\n")
    assert scan_queries(path).kinds.tolist() == [3, 0], "a row that is left out has no duplicates"
    lines = [{"text": "a b", "n": 1}, {"text": None}, {"text": "\ud800"}, {"text": "c"}]
    path = tmp_path / "queries.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in lines))
    queries = scan_queries(path)
    assert (queries.field, queries.kinds.tolist()) == ("text", [0, 1, 4, 0])
    with pytest.raises(DataError, match=r"queries.jsonl:1: no field 'q'"):
        scan_queries(path, "q")


def test_shards_share_the_queries_and_keep_equal_ones_together(tmp_path):
    path = tmp_path / "queries.txt"
    texts = [f"question {number % 700} about tea" for number in range(1000)]
    path.write_text("\n".join([*texts, "", "x" * 3000, ""]) + "\n")
    whole = scan_queries(path)
    parts = [scan_queries(path, shard=Shard(number, 3)) for number in (1, 2, 3)]
    asked = [set(np.flatnonzero(part.kinds == 0).tolist()) for part in parts]
    assert set.union(*asked) == set(np.flatnonzero(whole.kinds == 0).tolist())
    assert sum(map(len, asked)) == 700
    kinds = sum((Counter(part.kinds.tolist()) for part in parts), Counter())
    del kinds[OTHER_SHARD]
    assert kinds == Counter(whole.kinds.tolist()), "each row counts in one shard"
    assert min(map(len, asked)) > 180
    assert query_key("Brew  tea") == query_key("brew TEA")
    for text in ("0/2", "3/2", "a/b", "2", "1/0"):
        with pytest.raises(InputError, match="shard is"):
            Shard.parse(text)


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


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.txt", None, "no such file"),
        ("empty.txt", b"", "holds no queries"),
        ("bytes.txt", b"tea\n\xff\n", "bytes.txt:2: not UTF-8"),
        ("queries.doc", b"x", "expected a file ending in"),
        ("broken.jsonl", b'{"text": "a"}\n{"text": \n', "broken.jsonl:2: not valid JSON"),
        ("list.jsonl", b"[1]\n", "expected rows of objects, got list"),
        ("other.jsonl", b'{"id": 1}\n', "'id' and none of query, text, question, anchor"),
        ("number.jsonl", b'{"text": 1}\n', "number.jsonl:1: field 'text' is 1"),
    ],
)
def test_a_bad_file_of_queries_is_refused_before_anything_is_asked(
    tmp_path, name, content, message
):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        scan_queries(tmp_path / name)
