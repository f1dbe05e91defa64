"""Mining from file to file: rows of groups, pairs and logs, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from library_intents import INTENTS
from typer.testing import CliRunner

from semantic_router_lora.cli.mine import app
from semantic_router_lora.data.check import check_files
from semantic_router_lora.data.pairs import Pair
from semantic_router_lora.data.triplets import read_triplets
from semantic_router_lora.errors import DataError, SemanticRouterLoraError
from semantic_router_lora.mining import Hit, read_groups, read_linked_pairs, read_log


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_files_of_groups(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    expected = {"1": ["a b", "c d"], "2": ["e f"]}
    (tmp_path / "a.csv").write_text("text,category\na b,1\nc d,1\ne f,2\n")
    assert read_groups(tmp_path / "a.csv") == expected
    table = pyarrow.table({"question": ["a b", "c d", "e f"], "label": [1, 1, 2]})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert read_groups(tmp_path / "a.parquet") == expected
    rows = [{"texts": ["a b", "c d"]}, {"texts": ["e f"], "group": "x"}]
    read = read_groups(lines(tmp_path / "a.jsonl", *rows))
    assert read == {"row 1": ["a b", "c d"], "x": ["e f"]}


def test_files_of_pairs_and_logs(tmp_path):
    rows = [
        {"anchor": "a", "positive": "b"},
        {"anchor": "a", "positive": "c", "negative": "d"},
        {"question1": "e", "question2": "f", "is_duplicate": 0},
    ]
    assert list(read_linked_pairs(lines(tmp_path / "a.jsonl", *rows))) == [
        Pair("a", "b", True),
        Pair("a", "c", True),
        Pair("a", "d", False),
        Pair("e", "f", False),
    ]
    (tmp_path / "log.csv").write_text("query,cached,correct\na,b,True\nc,b,0\nd,,\ne,b,\n")
    assert list(read_log(tmp_path / "log.csv")) == [
        Hit("a", "b", True),
        Hit("c", "b", False),
        Hit("d", None, None),
        Hit("e", "b", None),
    ]


@pytest.mark.parametrize(
    ("read", "row", "message"),
    [
        (read_groups, {"text": "a"}, "a.jsonl:1: no field of group"),
        (read_groups, {"group": "a"}, "a.jsonl:1: no field 'text'"),
        (read_groups, {"text": 1, "group": "a"}, "expected a text"),
        (read_groups, {"texts": "a"}, "expected a list"),
        (read_groups, {"text": "\ud800", "group": "a"}, "lone surrogate"),
        (read_groups, ["a"], "expected an object"),
        (read_linked_pairs, {"anchor": "a"}, "no field 'positive'"),
        (read_linked_pairs, {"a": "a", "b": "b"}, "label is None"),
        (read_linked_pairs, {"a": "a", "b": " ", "label": 1}, "expected a text"),
        (read_log, {"query": "a"}, "no field 'cached'"),
        (read_log, {"query": "a", "cached": "b", "correct": "maybe"}, "expected true or false"),
    ],
)
def test_rows_that_cannot_be_read(read, row, message, tmp_path):
    with pytest.raises(DataError, match=message):
        list(read(lines(tmp_path / "a.jsonl", row)))
    with pytest.raises(DataError, match="holds no rows"):
        list(read(lines(tmp_path / "b.jsonl")))


def test_the_command_with_the_real_model(tmp_path):
    routes = [{"name": name, "utterances": texts} for name, texts in INTENTS.items()]
    path = tmp_path / "router.yaml"
    path.write_text(json.dumps({"routes": routes}))
    output = tmp_path / "mined.jsonl"
    arguments = ["routes", str(path), "--output", str(output), "--domain", "library"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    rows = read_triplets(output)
    assert "rows written" in done.stdout and f"{len(rows)}" in done.stdout
    assert len(rows) >= 12 and {row.source for row in rows} == {"router.yaml"}
    assert check_files([output]).passed
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mined.jsonl", "router.yaml"]


def test_the_command_refuses_what_it_cannot_write_or_mine_before_it_loads_a_model(tmp_path):
    path = lines(tmp_path / "groups.jsonl", {"text": "a", "group": "x"})
    (tmp_path / "folder.jsonl").mkdir()
    for output, message in (
        (path, "is the input"),
        (tmp_path / "none" / "a.jsonl", "there is no folder"),
        (tmp_path / "folder.jsonl", "is a folder"),
        (tmp_path / "a.txt", "expected a file ending in"),
        (tmp_path / "a.jsonl", "no two texts"),
    ):
        arguments = ["groups", str(path), "-o", str(output), "--embedder", "no/such-model"]
        done = CliRunner().invoke(app, arguments)
        assert isinstance(done.exception, SemanticRouterLoraError)
        assert message in str(done.exception)
    assert not (tmp_path / "a.jsonl").exists()
