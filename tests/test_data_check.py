"""What `data check` finds in files of triplets, and in ours."""

from __future__ import annotations

import tracemalloc
import unicodedata
from pathlib import Path

import pytest
from triplet_rows import GOOD, LONG, write

from semantic_router_lora.benchmark.suite import DOMAINS, GENERAL, bundled_file
from semantic_router_lora.data.check import check_files, file_statistics
from semantic_router_lora.data.split import split_file
from semantic_router_lora.data.triplets import LABELS, TRAPS, Triplet, read_triplets
from semantic_router_lora.data.words import content_words, jaccard, near_pairs, plain, words
from semantic_router_lora.errors import DataError


def test_words():
    assert words("What's C++ 3.11, `a.b`?") == ["what's", "c++", "3.11", "a.b"]
    assert content_words("How do I undo the last commit?") == {"undo", "last", "commit"}
    assert jaccard(frozenset("ab"), frozenset("bc")) == pytest.approx(1 / 3)
    assert jaccard(frozenset(), frozenset()) == 0


def test_near_pairs_finds_what_comparing_all_finds():
    texts = [
        line for triplet in read_triplets(bundled_file("law", "dev")) for line in triplet.texts
    ]
    sets = [frozenset(words(text)) for text in texts]
    for threshold in (0.5, 0.7, 0.9):
        expected = {
            (i, j)
            for j in range(len(texts))
            for i in range(j)
            if jaccard(sets[i], sets[j]) >= threshold
        }
        assert {(i, j) for i, j, _ in near_pairs(texts, threshold)} == expected


def test_check_finds_duplicates_leaks_and_near_identical_pairs(tmp_path):
    first = write(
        tmp_path / "first.jsonl",
        GOOD | {"anchor": "undo a commit"},
        GOOD | {"anchor": "Undo a  commit?", "positive": "x", "negative": "y"},
        {"anchor": LONG, "positive": "p", "negative": LONG.replace("stain", "hole")},
    )
    second = write(
        tmp_path / "second.jsonl",
        {"anchor": "r", "positive": "undo a commit", "negative": "s"},
        {"anchor": LONG + " today", "positive": "t", "negative": "u"},
    )
    report = check_files([first, second])
    assert not report.passed
    assert len(report.duplicates) == 1
    assert "first.jsonl:2 anchor" in report.duplicates[0]
    assert len(report.leaks) == 1
    assert "second.jsonl:1 positive" in report.leaks[0]
    assert len(report.near_identical) == 1  # and not the anchor with its own negative
    assert "second.jsonl:2 anchor" in report.near_identical[0]
    assert report.near_leaks == report.near_identical


@pytest.mark.parametrize(
    "other",
    [
        unicodedata.normalize("NFD", "where is the café"),
        "where is the ca\u200bfé",
        "\ufeffWHERE is the CAFÉ?",
        "where is the \uff43afé",
    ],
)
def test_what_looks_the_same_is_the_same(tmp_path, other):
    assert plain(other) == plain("where is the café")
    first = {"anchor": "where is the café", "positive": "café location", "negative": "who owns it"}
    second = {"anchor": other, "positive": "find that café now", "negative": "when does it close"}
    path = write(tmp_path / "a.jsonl", first, second)
    assert len(check_files([path]).duplicates) == 1
    shares = {"train": 0.5, "test": 0.5}
    with pytest.raises(DataError, match="in 1 sets, the largest of 2 rows"):
        split_file(path, tmp_path, shares, 0)


def test_near_identical_texts_are_found_however_accents_are_written(tmp_path):
    accented = LONG.replace("landlord", "propriétaire")
    rows = [
        {"anchor": text, "positive": f"p{number}", "negative": f"n{number}"}
        for number, text in enumerate((accented, unicodedata.normalize("NFD", accented) + " today"))
    ]
    assert len(check_files([write(tmp_path / "a.jsonl", *rows)]).near_identical) == 1


def test_a_text_of_many_rows_takes_no_longer(tmp_path):
    rows = [
        {"anchor": LONG, "positive": f"p{n}", "negative": f"n{n}", "group": "one"}
        for n in range(3000)
    ]
    near = [
        {"anchor": LONG + " today", "positive": f"q{n}", "negative": f"m{n}", "group": "two"}
        for n in range(3000)
    ]
    paths = [write(tmp_path / "a.jsonl", *rows), write(tmp_path / "b.jsonl", *near)]
    tracemalloc.start()
    report = check_files(paths)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not report.duplicates and not report.leaks
    assert len(report.near_leaks) == len(report.near_identical) == 1
    assert peak < 60_000_000  # of the pairs of equal texts there are nine million
    alone = [{key: row[key] for key in LABELS} for row in rows]
    assert len(check_files([write(tmp_path / "c.jsonl", *alone)]).duplicates) == 2999


def test_a_family_may_repeat_its_paraphrases_but_not_its_pairs(tmp_path):
    first, second, third, near = LONG, LONG + " today", "deposit kept over a stain", "who pays"
    family = [
        {"anchor": first, "positive": second, "negative": near, "group": "deposits"},
        {"anchor": second, "positive": third, "negative": "another", "group": "deposits"},
        {"anchor": third, "positive": first, "negative": LONG + " ago", "group": "deposits"},
    ]
    assert check_files([write(tmp_path / "good.jsonl", *family)]).passed
    again = family[0] | {"anchor": second, "positive": first, "negative": "a third"}
    report = check_files([write(tmp_path / "again.jsonl", *family, again)])
    assert [line.rpartition(":")[0] for line in report.duplicates] == [
        f"{tmp_path / 'again.jsonl'}:1 = {tmp_path / 'again.jsonl'}:4"
    ]
    wrong = family[1] | {"negative": first.upper()}
    report = check_files([write(tmp_path / "wrong.jsonl", family[0], wrong)])
    assert "wrong.jsonl:2 negative" in report.duplicates[0]
    itself = family[0] | {"anchor": third, "positive": third, "negative": "else"}
    assert check_files([write(tmp_path / "itself.jsonl", *family, itself)]).duplicates
    apart = [row | {"group": str(number)} for number, row in enumerate(family)]
    assert len(check_files([write(tmp_path / "apart.jsonl", *apart)]).duplicates) == 3


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


def test_bundled_suites_keep_the_standard_of_writing():
    paths = [bundled_file(domain, split) for domain in DOMAINS for split in ("test", "dev")]
    report = check_files(paths)
    assert report.passed, report
    for path in paths:
        figures = report.statistics[str(path)]
        assert figures.rows == (200 if ".test." in path.name else 60)
        assert set(figures.traps) == set(TRAPS)
        assert all(0.10 <= count / figures.rows <= 0.25 for count in figures.traps.values())
        assert all(share <= 0.03 for _, share in figures.frames.values())
        assert figures.positives_low_overlap >= 1 / 3
        assert figures.negatives_high_overlap >= 1 / 2
        triplets = read_triplets(path)
        assert all(3 <= len(text.split()) <= 50 for t in triplets for text in t.texts)
    groups = {
        split: {t.group for d in DOMAINS for t in read_triplets(bundled_file(d, split))}
        for split in ("test", "dev")
    }
    assert not groups["test"] & groups["dev"]


def test_training_data_touches_no_suite():
    folder = Path(__file__).parents[1] / "training" / "data"
    suites = [bundled_file(d, s) for d in (*DOMAINS, GENERAL) for s in ("test", "dev")]
    trained = [folder / f"{domain}.jsonl" for domain in DOMAINS]
    families = [folder / f"families-{domain}.jsonl" for domain in (*DOMAINS, GENERAL)]
    instances = folder / "instances-programming.jsonl"
    assert {*trained, *families, instances} == {*folder.glob("*.jsonl")}
    report = check_files([*trained, *families, instances, *suites])
    assert report.passed, report
    suite_topics = {(t.domain, t.group) for path in suites for t in read_triplets(path)}
    for path in families:
        triplets = read_triplets(path)
        assert not suite_topics & {(t.domain, t.group) for t in triplets}
        for first, second, third in zip(*(triplets[start::3] for start in range(3)), strict=True):
            assert (first.positive, second.positive, third.positive) == (
                second.anchor,
                third.anchor,
                first.anchor,
            )
    for path in (*trained, instances):
        assert not suite_topics & {(t.domain, t.group) for t in read_triplets(path)}
    for path in trained:
        assert len(read_triplets(path)) >= 1000
        traps = report.statistics[str(path)].traps
        assert set(traps) == set(TRAPS)
        assert max(traps.values()) < 1.2 * min(traps.values())
