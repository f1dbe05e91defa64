"""Reading triplets, and what `data check` finds in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from semantic_router_lora.benchmark.suite import DOMAINS, GENERAL, bundled_file
from semantic_router_lora.data.check import check_files
from semantic_router_lora.data.triplets import TRAPS, Triplet, read_triplets, write_triplets
from semantic_router_lora.data.words import content_words, jaccard, near_pairs, words
from semantic_router_lora.errors import DataError

ROWS = [
    Triplet("signs of shingles", "how does shingles begin", "how long is shingles contagious"),
    Triplet("undo a commit", "revert my last commit", "undo a merge", domain="programming"),
]


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


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


def test_spreadsheets_and_broken_tables(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbfanchor,positive,negative\na,b,c\n")  # as spreadsheets save it
    assert read_triplets(path)[0].anchor == "a"
    path.write_text("anchor,positive,negative\na,b," + "c" * 200_000 + "\n")
    with pytest.raises(DataError, match="not valid CSV after line 1"):
        read_triplets(path)
    pytest.importorskip("pyarrow")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nonsense PAR1")
    with pytest.raises(DataError, match="not valid Parquet"):
        read_triplets(tmp_path / "a.parquet")


GOOD = {"anchor": "a", "positive": "b", "negative": "c"}


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


LONG = "my landlord in Leeds kept the whole deposit for a stain that was there before we moved in"


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
    report = check_files([*trained, *families, *suites])
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
    for path in trained:
        triplets = read_triplets(path)
        assert len(triplets) >= 1000
        assert not suite_topics & {(t.domain, t.group) for t in triplets}
        traps = report.statistics[str(path)].traps
        assert set(traps) == set(TRAPS)
        assert max(traps.values()) < 1.2 * min(traps.values())
