"""Merging, splitting, sampling and describing files of triplets."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from semantic_router_lora.cli import app
from semantic_router_lora.data import merge, sample, split
from semantic_router_lora.data.check import NEAR_IDENTICAL, check_files, file_statistics
from semantic_router_lora.data.files import file_rows
from semantic_router_lora.data.seen import SeenTexts
from semantic_router_lora.data.seen_rows import WordSet
from semantic_router_lora.data.triplets import Triplet, read_triplets
from semantic_router_lora.data.words import jaccard, near_pairs, plain, words
from semantic_router_lora.data.writing import write_rows
from semantic_router_lora.errors import DataError, InputError

PARTS = {"train": 0.6, "dev": 0.2, "test": 0.2}
# a property's examples each make a folder of their own in the one that all share
SHARED_FOLDER = [HealthCheck.function_scoped_fixture]
LONG = "my landlord in Leeds kept the whole deposit for a stain that was there before we moved in"


def row(anchor: str, positive: str, negative: str, **fields: object) -> dict[str, object]:
    return {"anchor": anchor, "positive": positive, "negative": negative, **fields}


def new_folder(tmp_path: Path) -> Path:
    folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    return folder


def read(path: Path) -> list[dict[str, object]]:
    return [content for _, content in file_rows(path)]


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


# --- merge -------------------------------------------------------------------------------------


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


# Few words, so that texts often meet; of lengths on both sides of what counts as near.
WORDS = [f"w{number}" for number in range(24)]
SHORT = st.lists(st.sampled_from(WORDS[:4]), min_size=1, max_size=2).map(" ".join)
LENGTHY = st.integers(0, 3).flatmap(
    lambda left: st.permutations(WORDS[: 24 - left * 5]).map(
        lambda chosen: " ".join(chosen[left % 2 :])
    )
)
MESSY_ROWS = st.lists(
    st.builds(
        row,
        SHORT | LENGTHY,
        SHORT | LENGTHY,
        SHORT | LENGTHY,
        group=st.sampled_from([None, "1", "2", "3"]),
        domain=st.sampled_from(["medical", "law"]),
        trap=st.sampled_from([None, "role", "number"]),
    ),
    min_size=1,
    max_size=12,
)


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


def by_more(first: frozenset[str], second: frozenset[str]) -> bool:
    return max(len(first - second), len(second - first)) > 1


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


# --- split -------------------------------------------------------------------------------------


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
    """300 rows in groups of one to five, two domains and three traps, one of them rare."""
    draw = random.Random(0)
    rows = []
    while len(rows) < 300:
        group = f"g{len(rows)}"
        for _ in range(draw.randint(1, 5)):
            number = len(rows)
            rows.append(
                row(
                    *(f"{kind}{number} about it" for kind in ("anchor", "positive", "negative")),
                    domain=draw.choice(["law", "medical"]),
                    trap=draw.choices(["aspect", "role", "scope"], (10, 10, 1))[0],
                    group=group,
                )
            )
    path = tmp_path_factory.mktemp("many") / "many.csv"
    write_rows(path, rows)
    return path


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


# --- sample and stats --------------------------------------------------------------------------


def test_sample_is_uniform_and_in_order(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [row(f"a{n}", f"b{n}", f"c{n}", domain="law" if n % 2 else "medical") for n in range(10)]
    write_rows(path, rows)
    drawn: Counter[str] = Counter()
    for seed in range(600):
        some = sample.sample_rows(path, 3, seed)
        assert len(some) == 3 and some == [each for each in rows if each in some]
        drawn.update(str(each["anchor"]) for each in some)
    assert len(drawn) == 10
    # 600 draws of 3 of 10: 180 each, standard deviation 11
    assert all(135 < count < 225 for count in drawn.values())
    assert sample.sample_rows(path, 3, 1) == sample.sample_rows(path, 3, 1)
    law = sample.sample_rows(path, 99, 0, "law")
    assert law == [each for each in rows if each["domain"] == "law"]
    with pytest.raises(DataError, match="no triplets of domain 'tax'"):
        sample.sample_rows(path, 3, 0, "tax")
    with pytest.raises(InputError, match="at least one"):
        sample.sample_rows(path, 0, 0)


def test_statistics_of_a_stream():
    triplets = [
        Triplet("how do I undo it", "revert", "how do I undo a merge", trap="aspect"),
        Triplet("how do I undo that", "undo", "push"),
    ]
    figures = file_statistics(iter(triplets))
    assert figures.rows == 2
    assert figures.traps == {"aspect": 1, "none": 1}
    assert figures.frames["anchor"] == ("how do i undo", 1.0)
    assert figures.lengths == (1.0, 3.0, 5.75)
    assert figures.positives_low_overlap == 0.5  # undo is all that the second row keeps
    assert figures.negatives_high_overlap == 0.5
    assert figures.negative_closer == 0.5
    with pytest.raises(DataError):
        file_statistics([])


# --- the commands ------------------------------------------------------------------------------


def test_commands(many, tmp_path):
    def run(*arguments: object) -> str:
        done = CliRunner().invoke(app, ["data", *map(str, arguments)])
        assert done.exit_code == 0, done.output
        return done.output

    whole = tmp_path / "whole.jsonl"
    out = run("merge", many, many, "--output", whole)
    assert out.splitlines()[-2:] == [
        f"left out: {len(read(many))}: {merge.COPY}",
        f"{2 * len(read(many))} read = {len(read(many))} written to {whole} "
        f"+ {len(read(many))} left out",
    ]
    out = run("split", whole, "--output-folder", tmp_path / "parts", "--seed", 3)
    assert "no leak" in out
    parts = sorted((tmp_path / "parts").iterdir())
    assert [part.name for part in parts] == [f"whole.{p}.jsonl" for p in ("dev", "test", "train")]
    assert not list(near_pairs([t.anchor for p in parts for t in read_triplets(p)], 0.95))
    assert "many.csv" in run("stats", many, *parts)
    lines = run("sample", whole, "-n", 4, "--seed", 1, "--domain", "law").splitlines()
    assert [json.loads(line)["domain"] for line in lines] == ["law"] * 4
    run("sample", whole, "-n", 4, "--seed", 1, "--domain", "law", "--output", tmp_path / "s.csv")
    assert [each["anchor"] for each in read(tmp_path / "s.csv")] == [
        json.loads(line)["anchor"] for line in lines
    ]


def test_the_commands_import_no_heavy_package_and_report_errors_on_one_line(tmp_path):
    code = (
        "import sys; from semantic_router_lora.data import merge, sample, writing; "
        "import semantic_router_lora.cli.data; "
        "print({'torch', 'transformers', 'pyarrow', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
    result = CliRunner().invoke(app, ["data", "sample", str(tmp_path / "none.csv"), "-n", "1"])
    assert isinstance(result.exception, DataError) and "no such file" in str(result.exception)
