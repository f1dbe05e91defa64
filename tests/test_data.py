"""Reading and writing triplets, and what `data check` finds in them."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from semantic_router_lora.benchmark.suite import DOMAINS, GENERAL, bundled_file
from semantic_router_lora.data.check import check_files
from semantic_router_lora.data.files import file_rows
from semantic_router_lora.data.triplets import (
    TRAPS,
    Triplet,
    iter_triplets,
    read_triplets,
    write_triplets,
)
from semantic_router_lora.data.words import content_words, jaccard, near_pairs, words
from semantic_router_lora.data.writing import write_rows
from semantic_router_lora.errors import DataError, InputError, MissingExtraError

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


def row(anchor: str, positive: str, negative: str, **fields: object) -> dict[str, object]:
    return {"anchor": anchor, "positive": positive, "negative": negative, **fields}


def read(path: Path) -> list[dict[str, object]]:
    return [content for _, content in file_rows(path)]


# a property's examples use the folder one after the other
SHARED_FOLDER = [HealthCheck.function_scoped_fixture]
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
    assert report.near_leaks == report.near_identical


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
