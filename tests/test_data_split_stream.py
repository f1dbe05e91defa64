"""Splitting files that do not fit into memory."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from triplet_rows import MESSY_ROWS, PARTS, SHARED_FOLDER, by_more, new_folder, read, row
from typer.testing import CliRunner

from semantic_router_lora.cli import app
from semantic_router_lora.data import split_stream
from semantic_router_lora.data.check import NEAR_IDENTICAL, check_files
from semantic_router_lora.data.files import SUFFIXES
from semantic_router_lora.data.words import jaccard, plain, words
from semantic_router_lora.data.writing import write_rows
from semantic_router_lora.errors import DataError, InputError

SHARES = {"train": 0.8, "dev": 0.1, "test": 0.1}


@settings(max_examples=60, deadline=None, suppress_health_check=SHARED_FOLDER)
@given(rows=MESSY_ROWS, seed=st.integers(0, 9))
def test_no_row_is_lost_untold_and_no_text_is_in_two_parts(tmp_path, rows, seed):
    rows = [*rows, *(row(f"x{n}", f"y{n}", f"z{n}") for n in range(9))]
    rows = [each | {"number": str(number)} for number, each in enumerate(rows)]
    folder = new_folder(tmp_path)
    write_rows(folder / "all.jsonl", rows)
    try:
        done = split_stream.split_stream(folder / "all.jsonl", folder, PARTS, seed)
    except DataError as error:
        assert "would be empty" in str(error)
        assert [path.name for path in folder.iterdir()] == ["all.jsonl"]
        return
    parts = {part: read(path) for part, path in done.files.items()}
    assert {part: len(found) for part, found in parts.items()} == {
        part: counts.total() for part, counts in done.rows.items()
    }
    held = [each for part in parts.values() for each in part]
    assert len(held) + done.left_out.total() == len(rows)
    expected = {each["number"]: {k: v for k, v in each.items() if v} for each in rows}
    assert all(expected[each["number"]] == each for each in held)
    assert len({each["number"] for each in held}) == len(held)
    for one, other in itertools.combinations(parts.values(), 2):
        assert not {e.get("group") for e in one} & {e.get("group") for e in other} - {None}
        texts = [[text for each in part for text in [*each.values()][:3]] for part in (one, other)]
        for first, second in itertools.product(*texts):
            assert plain(first) != plain(second)
            sets = frozenset(words(first)), frozenset(words(second))
            assert jaccard(*sets) < NEAR_IDENTICAL or by_more(*sets)
    assert {path.name for path in folder.iterdir()} == {
        "all.jsonl",
        *(path.name for path in done.files.values()),
    }


def many(path: Path, groups: int) -> Path:
    rows = [
        row(
            *(f"{kind}{number}{letter} about it" for kind in ("anchor", "positive", "negative")),
            domain="law" if number % 4 else "medical",
            trap=trap,
            group=f"g{number}",
        )
        for number in range(groups)
        for letter, trap in (("a", "role"), ("b", "scope"))
    ]
    write_rows(path, rows)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_parts_have_their_shares_whatever_the_format(tmp_path, suffix):
    path = many(tmp_path / f"many{suffix}", 1500)
    folders = [new_folder(tmp_path) for _ in range(3)]
    first, same, other = (
        split_stream.split_stream(path, folder, SHARES, seed)
        for folder, seed in zip(folders, (5, 5, 6), strict=True)
    )
    assert first.rows == same.rows and not first.left_out
    assert read(first.files["test"]) == read(same.files["test"]) != read(other.files["test"])
    assert sum(first.rows.values(), Counter()).total() == 3000
    for part, share in SHARES.items():
        for (domain, _), found in first.rows[part].items():
            groups = 1125 if domain == "law" else 375
            # four standard deviations
            assert abs(found - share * groups) < 4 * (groups * share * (1 - share)) ** 0.5
    assert check_files(list(first.files.values())).leaks == []


def test_rows_that_share_a_text_with_another_part_are_left_out_and_counted(tmp_path):
    path = many(tmp_path / "many.csv", 60)
    rows = read(path)
    rows += [row("mine", rows[0]["negative"], f"else {n}", group=f"h{n}") for n in range(40)]
    write_rows(path, rows)
    arguments = ["data", "split", str(path), "--output-folder", str(tmp_path / "parts"), "--stream"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    left_out = len(rows) - sum(len(read(part)) for part in (tmp_path / "parts").iterdir())
    assert 0 < left_out < 40
    found = next(line for line in done.output.splitlines() if "left out" in line)
    assert sum(int(cell) for cell in found.split("│")[2:-1]) == left_out
    assert "belong together" not in done.output


def test_what_cannot_be_parted(tmp_path):
    path = tmp_path / "few.jsonl"
    write_rows(path, [row("a", "b", "c", group="one"), row("a", "b", "d", group="one")])
    with pytest.raises(DataError, match="would be empty"):
        split_stream.split_stream(path, tmp_path, SHARES, 0)
    with pytest.raises(InputError, match="shares must"):
        split_stream.split_stream(path, tmp_path, {"train": 0.5}, 0)
    path.write_text("")
    with pytest.raises(DataError, match="holds no triplets"):
        split_stream.split_stream(path, tmp_path, SHARES, 0)
    assert [each.name for each in tmp_path.iterdir()] == ["few.jsonl"]
