"""Merging files of triplets, and what of them is left out."""

from __future__ import annotations

import itertools
import os
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from triplet_rows import MESSY_ROWS, SHARED_FOLDER, by_more, new_folder, read, row

from semantic_router_lora.data import merge
from semantic_router_lora.data.check import NEAR_IDENTICAL, check_files
from semantic_router_lora.data.seen import SeenTexts
from semantic_router_lora.data.seen_rows import WordSet
from semantic_router_lora.data.words import jaccard, plain, words
from semantic_router_lora.data.writing import write_rows
from semantic_router_lora.errors import DataError


def merged(folder: Path, *files: list[dict[str, object]], near: merge.Near = "paraphrases"):
    paths = [folder / f"shard-{number}.jsonl" for number in range(len(files))]
    for path, rows in zip(paths, files, strict=True):
        write_rows(path, rows)
    output = folder / "merged.jsonl"
    counts = merge.merge_files(paths, output, near)
    assert [counts.read[place] for place in range(len(files))] == [len(rows) for rows in files]
    assert counts.written + counts.dropped.total() == counts.read.total()
    rows = read(output)
    assert counts.written == len(rows)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*(path.name for path in paths), output.name]
    )
    return rows, counts.dropped


def test_merge_drops_for_each_reason(tmp_path):
    first = [row("undo a commit", "revert it", "undo a merge", group="git", extra=[1])]
    second = [
        row("Revert it!", "undo  a commit", "Undo a merge", group="git"),
        row("undo a commit", "revert it", "undo a push", group="git"),
        row("say", "Say.", "else", group="git"),
        row("undo a merge", "take a merge back", "x", group="merge"),
        row("y", "z", "revert it?", group="git"),
        row("p", "q", "undo a merge"),
        row("undo a commit", "r", "s", group="other"),
        row("undo a commit", "t", "u"),
        row("a commit: undo", "v", "w", group="other"),
        row("undo a commit", "commit, undo a", "role may keep all words", group="git", trap="role"),
    ]
    rows, dropped = merged(tmp_path, first, second)
    assert rows == [*first, second[-1]]
    assert dropped == {
        merge.COPY: 1,
        merge.SAME_PAIR: 1,
        merge.REPEATED: 1,
        merge.CONFLICT: 2,
        merge.SAME_NEGATIVE: 1,
        merge.OTHER_GROUP: 2,
        merge.NEAR: 1,
    }
    assert set(dropped) == set(merge.REASONS)


def test_negatives_are_compared_by_their_words_on_request(tmp_path):
    rows = [
        row("convert a dict to a list", "dict into list", "convert a list to a dict", group="1"),
        row("list into dict", "make one of a list", "from list to dict: convert", group="2"),
        row("tuple of a dict", "dict as tuple", "a dict to a list: convert", group="3"),
    ]
    kept = {"none": 3, "paraphrases": 2, "all": 1}  # 2 and 3 have the words of 1, in another order
    for near, count in kept.items():
        assert len(merged(new_folder(tmp_path), rows, near=near)[0]) == count


def test_rows_without_a_group_are_no_family(tmp_path):
    rows = [row("a", "b", "c"), row("b", "d", "e"), row("f", "g", "h")]
    kept, dropped = merged(tmp_path, rows)
    assert kept == [rows[0], rows[2]]
    assert dropped == {merge.OTHER_GROUP: 1}


def test_the_old_name_of_the_negative_and_empty_shards(tmp_path):
    old = {"anchor": "a", "positive": "b", "hard_negative": "c", "domain": ""}
    rows, _ = merged(tmp_path, [], [old])
    assert rows == [row("a", "b", "c")]
    with pytest.raises(DataError, match="no triplets in any file"):
        merge.merge_files([tmp_path / "shard-0.jsonl"], tmp_path / "none.jsonl")
    assert not (tmp_path / "none.jsonl").exists()


def test_merge_may_write_over_one_of_its_inputs_and_names_bad_lines(tmp_path):
    path = tmp_path / "a.jsonl"
    write_rows(path, [row("a", "b", "c")] * 2)
    assert merge.merge_files([path], path).written == 1
    bad = tmp_path / "bad.csv"
    bad.write_text("anchor,positive,negative\na,b,c\nd,e,\n")
    with pytest.raises(DataError, match=r"bad.csv:3: field 'negative' is ''"):
        merge.merge_files([path, bad], path)
    assert read(path) == [row("a", "b", "c")]
    assert len(list(tmp_path.iterdir())) == 2


@settings(max_examples=60, deadline=None, suppress_health_check=SHARED_FOLDER)
@given(
    rows=MESSY_ROWS,
    cuts=st.lists(st.integers(0, 12), max_size=3),
    near=st.sampled_from(["all", "paraphrases", "none"]),
)
def test_shards_in_order_give_what_the_file_gives(tmp_path, rows, cuts, near):
    bounds = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    shards = [rows[start:end] for start, end in itertools.pairwise(bounds)]
    whole, reasons = merged(new_folder(tmp_path), rows, near=near)
    folder = new_folder(tmp_path)
    assert merged(folder, *shards, near=near) == (whole, reasons)
    assume(whole)
    assert merged(new_folder(tmp_path), whole, near=near) == (whole, Counter())
    report = check_files([folder / "merged.jsonl"])
    assert not report.duplicates
    if near == "all":  # what it leaves: within one group, and by more than one word
        groups = [each.get("group") for each in whole]
        sets = [[frozenset(words(text)) for text in list(each.values())[:3]] for each in whole]
        for one, other in itertools.combinations(range(len(whole)), 2):
            if groups[one] is None or groups[one] != groups[other]:
                for first, second in itertools.product(sets[one], sets[other]):
                    assert jaccard(first, second) < NEAR_IDENTICAL or by_more(first, second)


@settings(max_examples=30, deadline=None, suppress_health_check=SHARED_FOLDER)
@given(rows=MESSY_ROWS, seed=st.integers(0, 999), count=st.integers(1, 4))
def test_any_shards_of_clean_rows_and_copies_of_them_give_these_rows(tmp_path, rows, seed, count):
    clean, _ = merged(new_folder(tmp_path), rows, near="all")
    assume(clean)
    draw = random.Random(seed)
    copies = [
        each | {"anchor": f" {each['positive']}?".upper(), "positive": each["anchor"]}
        for each in clean
        if draw.random() < 0.5
    ]
    shards = [[] for _ in range(count)]
    for each in draw.sample(copies, len(copies)) + draw.sample(clean, len(clean)):
        shards[draw.randrange(count)].append(each)
    kept, dropped = merged(new_folder(tmp_path), *shards, near="all")
    assert dropped.total() == len(copies) == dropped[merge.COPY]
    assert {as_asked(each) for each in kept} == {as_asked(each) for each in clean}
    assert len(kept) == len(clean)


def as_asked(each: dict[str, object]) -> tuple[object, ...]:
    anchor, positive, negative = (plain(str(each[name])) for name in list(each)[:3])
    return (frozenset((anchor, positive)), negative, each.get("group"))


@settings(max_examples=200, deadline=None)
@given(data=st.data(), size=st.integers(1, 30))
def test_word_sets_meet_if_one_word_apart_and_nearly_identical(data, size):
    first = {f"word{number}" for number in range(size)}
    gone = data.draw(st.sets(st.sampled_from(sorted(first)), max_size=2))
    second = (first - gone) | data.draw(st.sets(st.sampled_from(["new", "newer"]), max_size=2))
    one, other = (WordSet(" ".join(text)) for text in (first, second))
    near = jaccard(frozenset(first), frozenset(second)) >= NEAR_IDENTICAL
    expected = bool(second) and near and not by_more(frozenset(first), frozenset(second))
    assert bool({*one.kept()} & {*other.wanted()}) == expected
    assert bool({*other.kept()} & {*one.wanted()}) == expected


def test_seen_texts_leave_nothing_behind(tmp_path):
    with SeenTexts(tmp_path) as seen:
        assert seen.add("Undo a commit") and not seen.add("undo a  commit?")
        assert seen.add("$?") and seen.add("$!x")
        # where the system can, what is open has no name, so that a kill leaves nothing, either
        assert os.name != "posix" or not list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
