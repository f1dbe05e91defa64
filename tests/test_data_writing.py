"""Writing rows as JSON lines, CSV and Parquet: what comes back, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from triplet_rows import SHARED_FOLDER, read, row

from semantic_router_lora.data.writing import write_rows
from semantic_router_lora.errors import DataError, InputError

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(str.strip)
FIELDS = st.none() | TEXTS
ANY_ROWS = st.lists(
    st.builds(row, TEXTS, TEXTS, TEXTS, domain=FIELDS, group=FIELDS, trap=FIELDS, note=FIELDS),
    min_size=1,
    max_size=5,
)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
@settings(max_examples=40, deadline=None, suppress_health_check=SHARED_FOLDER)
@given(rows=ANY_ROWS)
def test_rows_come_back_as_they_were_written(tmp_path, suffix, rows):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"a{suffix}"
    assert write_rows(path, iter(rows)) == len(rows)
    expected = [{name: value for name, value in each.items() if value is not None} for each in rows]
    back = [{name: value for name, value in each.items() if value} for each in read(path)]
    assert back == expected
    assert [path.name for path in tmp_path.iterdir()] == [path.name]


def test_quotes_newlines_and_values_that_are_no_texts(tmp_path):
    pytest.importorskip("pyarrow")
    rows = [
        row(
            'say "hi", please',
            "two\r\nlines\n",
            "naïve 東京 🙂\u2028;\t'",
            votes=3,
            tags=["a", "b"],
        ),
        row("c", "d", "e", score=0.5, tags=[], votes=2.5, good=True),
    ]
    paths = {suffix: tmp_path / f"a.{suffix}" for suffix in ("jsonl", "csv", "parquet")}
    for path in paths.values():
        write_rows(path, rows)
    assert read(paths["jsonl"]) == rows
    names = ["anchor", "positive", "negative", "votes", "tags", "score", "good"]
    assert read(paths["parquet"]) == [{name: each.get(name) for name in names} for each in rows]
    first, second = read(paths["csv"])
    assert [first[name] for name in names] == [
        *list(rows[0].values())[:3],
        "3",
        '["a", "b"]',
        "",
        "",
    ]
    assert second["good"] == "true" and second["score"] == "0.5"


def test_a_column_may_be_empty_for_long_and_then_hold_a_number(tmp_path):
    pytest.importorskip("pyarrow")
    rows = [{"anchor": "a", "votes": None, "score": 1}] * 10_000
    rows.append({"anchor": "b", "votes": 7, "score": 0.5, "more": "x"})
    assert write_rows(tmp_path / "a.parquet", rows) == 10_001
    assert read(tmp_path / "a.parquet")[-1] == rows[-1]


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    pytest.importorskip("pyarrow")
    for path in (tmp_path / "a.jsonl", tmp_path / "a.csv", tmp_path / "a.parquet"):
        path.write_text("as it was")

        def breaking():
            yield row("a", "b", "c")
            raise DataError("the input breaks off")

        with pytest.raises(DataError, match="breaks off"):
            write_rows(path, breaking())
        assert path.read_text() == "as it was"
    with pytest.raises(DataError, match=r"^a.parquet: field 'x' fits into no Parquet column"):
        write_rows(tmp_path / "a.parquet", [{"x": 1}, {"x": "one"}])
    with pytest.raises(DataError, match="lone surrogate"):
        write_rows(tmp_path / "a.jsonl", [{"tags": ["\ud83d"]}])
    assert len(list(tmp_path.iterdir())) == 3


def test_outputs_that_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match=r"a.txt: expected a file ending in .jsonl, .csv, .parq"):
        write_rows(tmp_path / "a.txt", [])
    with pytest.raises(InputError, match="there is no folder"):
        write_rows(tmp_path / "none" / "a.csv", [])
