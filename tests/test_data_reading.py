"""Reading triplets from JSON lines, CSV and Parquet."""

from __future__ import annotations

import importlib
import json

import pytest
from triplet_rows import GOOD, read, row, write

from semantic_router_lora.data.files import file_rows
from semantic_router_lora.data.triplets import Triplet, iter_triplets, read_triplets, write_triplets
from semantic_router_lora.data.writing import write_rows
from semantic_router_lora.errors import DataError, MissingExtraError

ROWS = [
    Triplet("signs of shingles", "how does shingles begin", "how long is shingles contagious"),
    Triplet("undo a commit", "revert my last commit", "undo a merge", domain="programming"),
]


def test_jsonl_csv_and_parquet_hold_the_same(tmp_path):
    pyarrow_csv = pytest.importorskip("pyarrow.csv")
    parquet = pytest.importorskip("pyarrow.parquet")
    write_triplets(tmp_path / "a.jsonl", ROWS)
    (tmp_path / "a.csv").write_text(
        "anchor,positive,negative,domain\n"
        + "".join(f"{','.join(row.texts)},{row.domain or ''}\n" for row in ROWS)
    )
    parquet.write_table(pyarrow_csv.read_csv(tmp_path / "a.csv"), tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.csv", "a.parquet"):
        assert read_triplets(tmp_path / name) == ROWS


def test_the_reference_systems_field_name(tmp_path):
    path = write(tmp_path / "a.jsonl", {"anchor": "a", "positive": "b", "hard_negative": "c"})
    assert read_triplets(path)[0].negative == "c"


def test_a_null_alias_does_not_hide_the_field(tmp_path):
    row = {"anchor": "a", "positive": "b", "negative": "c", "hard_negative": None}
    assert read_triplets(write(tmp_path / "a.jsonl", row))[0].negative == "c"


def test_an_empty_field_does_not_hide_the_alias(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("anchor,positive,negative,hard_negative\na,b,,c\nd,e,f,\n")
    assert [triplet.negative for triplet in read_triplets(path)] == ["c", "f"]


def test_spreadsheets_and_broken_tables(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbfanchor,positive,negative\na,b,c\n")  # as spreadsheets save it
    assert read_triplets(path)[0].anchor == "a"
    path.write_text("anchor,positive,negative\na,b," + "c" * 200_000 + "\n")
    assert len(read_triplets(path)[0].negative) == 200_000
    pytest.importorskip("pyarrow")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nonsense PAR1")
    with pytest.raises(DataError, match="not valid Parquet"):
        read_triplets(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('1,"the 5" pipe\n2,second\n3,"third"\n', ":3: the row that begins here is not valid CSV"),
        ('1,first\n2,"a text that was cut', ":4: the row that begins here is not valid CSV"),
        ("1,first\n2,second,third\n", ":4: has more fields than the first line"),
    ],
)
def test_a_stray_quote_swallows_no_row(tmp_path, content, message):
    path = tmp_path / "a.csv"
    path.write_text('id,text\n0,"quoted"\n' + content)
    with pytest.raises(DataError, match=message):
        read(path)


def test_a_header_names_each_column_once(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,id,text\na,1,b\n")
    with pytest.raises(DataError, match=r"a.csv:1: two columns are called 'text'"):
        read(path)
    path.write_text("text,id,,\na,1,,\n")  # as spreadsheets save empty columns
    assert read(path) == [{"text": "a", "id": "1", "": ""}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no triplets"),
        (b'{"anchor": "a"}\n', r":1: no field 'positive'; the row has 'anchor'"),
        (json.dumps(GOOD).encode() + b"\n\n[]\n", r":3: expected an object, got list"),
        (json.dumps(GOOD).encode() + b"\n{\n", r":2: not valid JSON"),
        (b"\xff\xfe", ":1: not UTF-8"),
        (json.dumps(GOOD).encode() + b"\n\xff\n", ":2: not UTF-8"),
        (b'{"anchor": "\\ud83d", "positive": "b", "negative": "c"}', ":1: .*lone surrogate"),
        (json.dumps(GOOD | {"negative": "  "}).encode(), r":1: field 'negative' is '  '"),
        (json.dumps(GOOD | {"anchor": 7}).encode(), r":1: field 'anchor' is 7"),
        (json.dumps(GOOD | {"anchor": float("nan")}).encode(), r":1: field 'anchor' is nan"),
        (json.dumps(GOOD | {"trap": 1}).encode(), r":1: field 'trap' is 1"),
    ],
)
def test_bad_files_name_the_line_and_the_reason(tmp_path, content, message):
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_triplets(path)


def test_no_file_and_other_kinds(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_triplets(tmp_path / "none.jsonl")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError, match="expected a file ending in"):
        read_triplets(tmp_path / "a.txt")


def test_files_are_read_as_streams(tmp_path):
    pytest.importorskip("pyarrow")
    rows = [row(f"a{n}", f"b{n}", f"c{n}") for n in range(2500)]
    for suffix in ("jsonl", "csv", "parquet"):
        path = tmp_path / f"a.{suffix}"
        write_rows(path, rows)
        assert [t.anchor for t in iter_triplets(path)] == [each["anchor"] for each in rows]
        assert [number for number, _ in file_rows(path)][-1] == 2500 + (suffix == "csv")
    path = tmp_path / "late.jsonl"
    path.write_text(json.dumps(rows[0]) + "\nno JSON\n")
    stream = iter_triplets(path)
    assert next(stream).anchor == "a0"
    with pytest.raises(DataError, match=r"late.jsonl:2: not valid JSON"):
        next(stream)


def test_parquet_is_read_by_batches(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    write_rows(tmp_path / "a.parquet", [row("a", "b", f"c{n}") for n in range(5000)])
    sizes = []
    batches = parquet.ParquetFile.iter_batches

    def watched(self, **options):
        for batch in batches(self, **options):
            sizes.append(batch.num_rows)
            yield batch

    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", watched)
    next(file_rows(tmp_path / "a.parquet"))
    assert len(sizes) == 1 and sizes[0] < 5000


def test_parquet_without_pyarrow_names_the_command(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1")
    found = importlib.import_module

    def missing(name: str, *rest: str):
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError(name=name)
        return found(name, *rest)

    monkeypatch.setattr(importlib, "import_module", missing)
    for call in (lambda: read(path), lambda: write_rows(tmp_path / "b.parquet", [])):
        with pytest.raises(MissingExtraError, match=r"pip install 'semantic-router-lora\[data\]'"):
            call()
