"""Splitting a file of triplets into parts that share no text and no group."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from triplet_rows import LONG, MESSY_ROWS, PARTS, SHARED_FOLDER, new_folder, read, row, write_many

from semantic_router_lora.data import split
from semantic_router_lora.data.check import NEAR_IDENTICAL
from semantic_router_lora.data.words import jaccard, plain, words
from semantic_router_lora.data.writing import write_rows
from semantic_router_lora.errors import DataError, InputError


@settings(max_examples=60, deadline=None, suppress_health_check=SHARED_FOLDER)
@given(rows=MESSY_ROWS, apart=st.integers(0, 8), seed=st.integers(0, 9))
def test_split_never_leaks_and_keeps_every_row_once(tmp_path, rows, apart, seed):
    rows += [row(f"x{n}", f"y{n}", f"z{n}") for n in range(apart)]
    folder = new_folder(tmp_path)
    rows = [each | {"number": str(number)} for number, each in enumerate(rows)]
    write_rows(folder / "all.jsonl", rows)
    try:
        done = split.split_file(folder / "all.jsonl", folder, PARTS, seed)
    except DataError as error:
        assert "would be empty" in str(error)
        assert [path.name for path in folder.iterdir()] == ["all.jsonl"]
        return
    parts = {part: read(path) for part, path in done.files.items()}
    written = [each for part in parts.values() for each in part]
    expected = [{name: value for name, value in each.items() if value} for each in rows]
    assert sorted(written, key=lambda each: int(each["number"])) == expected
    for part in parts.values():
        assert [int(each["number"]) for each in part] == sorted(int(e["number"]) for e in part)
    texts = [
        (name, text)
        for name, part in parts.items()
        for each in part
        for text in [*each.values()][:3]
    ]
    for (one, first), (other, second) in itertools.combinations(texts, 2):
        if one != other:
            sets = [frozenset(words(text)) for text in (first, second)]
            assert plain(first) != plain(second) and jaccard(*sets) < NEAR_IDENTICAL
    for one, other in itertools.combinations(parts.values(), 2):
        assert not {e.get("group") for e in one} & {e.get("group") for e in other} - {None}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_many(tmp_path_factory.mktemp("many") / "many.csv")


def test_split_is_balanced_and_deterministic(many, tmp_path):
    shares = {"train": 0.8, "dev": 0.1, "test": 0.1}
    folders = [new_folder(tmp_path) for _ in range(3)]
    first, same, other = (
        split.split_file(many, folder, shares, seed)
        for folder, seed in zip(folders, (5, 5, 6), strict=True)
    )
    contents = [
        [file.read_bytes() for file in each.files.values()] for each in (first, same, other)
    ]
    assert contents[0] == contents[1] != contents[2]
    assert [file.name for file in first.files.values()] == [
        f"many.{part}.csv" for part in ("train", "dev", "test")
    ]
    totals = sum(first.rows.values(), Counter())
    rows = totals.total()
    for part, share in shares.items():
        assert first.rows[part].total() == pytest.approx(share * rows, abs=0.02 * rows)
        for stratum, total in totals.items():
            assert abs(first.rows[part][stratum] - share * total) <= max(3, 0.05 * total)
    assert len(list(folders[0].iterdir())) == 3


def test_split_keeps_near_identical_texts_together_and_leaves_out_parts_of_nothing(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [row(LONG, "p", "q"), row("r", "s", "t"), row("u", "v", f"{LONG} today")]
    write_rows(path, rows)
    done = split.split_file(path, tmp_path, {"train": 0.7, "dev": 0.3, "test": 0}, 0)
    assert {part: read(file) for part, file in done.files.items()} == {
        "train": [rows[0], rows[2]],
        "dev": [rows[1]],
    }
    assert done.components == {"train": 1, "dev": 1}
    with pytest.raises(
        DataError, match=r"test would be empty; the 3 rows hang together.* in 2 sets"
    ):
        split.split_file(path, tmp_path, {"train": 0.6, "dev": 0.2, "test": 0.2}, 0)
    for shares in ({"train": 0.8, "dev": 0.1}, {"train": 1.5, "dev": -0.5}):
        with pytest.raises(InputError, match="shares must"):
            split.split_file(path, tmp_path, shares, 0)


def test_split_keeps_the_shares_where_every_domain_is_rare(tmp_path):
    path = tmp_path / "a.jsonl"
    write_rows(path, [row(f"a{n}", f"b{n}", f"c{n}", domain=f"d{n}") for n in range(40)])
    done = split.split_file(path, tmp_path, {"train": 0.7, "dev": 0.2, "test": 0.1}, 0)
    assert done.components == {"train": 28, "dev": 8, "test": 4}


def test_split_writes_nothing_that_its_check_finds_leaking(many, tmp_path, monkeypatch):
    # rows that share words are taken for unrelated, as if finding them were broken
    monkeypatch.setattr(split, "near_pairs", lambda *_: iter(()))
    path = tmp_path / "near.jsonl"
    write_rows(
        path, [row(f"{LONG} at all {number}", f"p{number}", f"n{number}") for number in range(20)]
    )
    with pytest.raises(DataError, match=r"the parts share \d+ texts, such as"):
        split.split_file(path, tmp_path, PARTS, 0)
    assert [each.name for each in tmp_path.iterdir()] == ["near.jsonl"]
