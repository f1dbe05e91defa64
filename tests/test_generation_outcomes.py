"""Whatever models answer: it ends in rows, or in the file of what was dropped."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semantic_router_lora.data.triplets import TRAPS, read_triplets
from semantic_router_lora.generation.answers import AnswerError, parse_answer
from semantic_router_lora.generation.filters.pipeline import (
    FILTERS,
    FilterPipeline,
    FilterSettings,
)
from semantic_router_lora.generation.journal import Journal
from semantic_router_lora.generation.queries import query_key, scan_queries
from semantic_router_lora.generation.writing import write_answers

T = TypeVar("T")


def mostly(usual: st.SearchStrategy[T], rare: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    return st.integers(0, 7).flatmap(lambda draw: rare if draw == 7 else usual)


QUERIES = ("how do I brew green tea", "is oolong a black tea", "tea stains on a white cup")
ODD = ("", " ", "\ud83d", "a\x00b", "\u2028", "N/A", "Yes.", "症状", '"}', "`" * 3)
WORDS = (
    "how",
    "do",
    "I",
    "brew",
    "green",
    "black",
    "tea",
    "oolong",
    "cup",
    "stain",
    "remove",
    "is",
)
LIKELY = st.lists(st.sampled_from(WORDS), min_size=2, max_size=9).map(" ".join)
TEXTS = mostly(LIKELY, st.sampled_from((*QUERIES, *ODD)) | st.text(max_size=30))
VALUES = mostly(TEXTS, st.none() | st.integers() | st.lists(TEXTS, max_size=2))
TRAP_NAMES = st.sampled_from(TRAPS)
NAMES = TRAP_NAMES | st.sampled_from(("Role ", "numeric", "\ud83d")) | st.text(max_size=5)
BY_TRAP = st.dictionaries(TRAP_NAMES, TEXTS, min_size=1) | st.dictionaries(NAMES, VALUES)
IN_ROWS = st.lists(
    st.fixed_dictionaries({"trap": NAMES, "text": VALUES}) | BY_TRAP | VALUES, min_size=1
)
JSON_ANSWERS = st.builds(
    lambda before, paraphrases, negatives, after: (
        before + json.dumps({"paraphrases": paraphrases, "negatives": negatives}) + after
    ),
    st.sampled_from(("", "Sure:\n```json\n", "<think>{}</think>")),
    st.lists(VALUES, min_size=1, max_size=5),
    BY_TRAP | IN_ROWS,
    st.sampled_from(("", "\n```", ",}")),
)
ANSWERS = mostly(JSON_ANSWERS, st.text(max_size=40))


def embed(texts):
    """Vectors that follow the words, so that some texts are near and others far."""
    vectors = np.full((len(texts), 16), 1e-3, dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.split():
            vectors[row, len(word) % 16] += 1
    return vectors


@pytest.fixture(scope="module")
def every_filter() -> FilterPipeline:
    found = FilterPipeline(
        FilterSettings(),
        prompt_texts=["Write paraphrases of the query as JSON."],
        embed=embed,
        cross_encoder=lambda pairs: np.array([len(text) % 10 / 10 for _, text in pairs]),
    )
    assert found.names == tuple(FILTERS)
    return found


def written(folder: Path, answers, filters):
    """The report, the rows and the notes for these answers to the first of the queries."""
    path = folder / "queries.txt"
    path.write_text("".join(f"{query}\n" for query in QUERIES[: len(answers)]))
    queries = scan_queries(path)
    output, dropped = folder / "out.jsonl", folder / "dropped.jsonl"
    with Journal(folder / "journal.jsonl", {}, len(queries)) as journal:
        for row, answer in enumerate(answers):
            journal.append(row, {"answer": answer})
        report = write_answers(
            queries, journal, filters, output, dropped, domain="tea", source="test"
        )
    rows = read_triplets(output) if output.stat().st_size else []
    return report, rows, [json.loads(line) for line in dropped.read_bytes().splitlines()]


@settings(max_examples=150, deadline=None)
@given(st.lists(ANSWERS, min_size=1, max_size=3))
def test_no_answer_loses_a_query_or_a_near_miss(every_filter, answers):
    with tempfile.TemporaryDirectory() as folder:
        report, rows, notes = written(Path(folder), answers, every_filter)
    ends = {"rejected": report.rejected.total(), "failed": report.failed.total()}
    assert report.written + sum(ends.values()) == report.queries == len(answers)
    assert Counter(note["outcome"] for note in notes if "outcome" in note) == Counter(ends)
    assert len(rows) == report.triplets
    removed = [note for note in notes if "filter" in note]
    assert Counter(note["filter"] for note in removed) == report.removed
    assert all(note["reason"] for note in notes)
    for query, answer in zip(QUERIES, answers, strict=False):
        own = [row for row in rows if row.group == query_key(query)]
        taken = [note for note in removed if note["query"] == query]
        try:
            read = parse_answer(answer)
        except AnswerError:
            assert not own and not taken
            continue
        assert sum(note["filter"] == "unreadable" for note in taken) == len(read.unread)
        told = [n["text"] for n in taken if n["kind"] == "negative" and n["filter"] != "unreadable"]
        told += [row.negative for row in own]
        assert sorted(told) == sorted(text for _, text in read.negatives)


def test_what_is_no_text_is_counted_and_told(tmp_path):
    answer = {
        "paraphrases": ["green tea brewing steps", "ring the \a bell", 3, None, " "],
        "negatives": [
            {"trap": "entity", "text": "how do I brew mint tea"},
            {"trap": "numeric", "text": "how do I brew 2 cups of green tea"},
            {"kind": "role", "negative": "how does green tea brew me"},
            {"trap": "scope", "text": None},
            "how do I brew green tea at the office",
        ],
    }
    none = FilterPipeline(
        FilterSettings(disabled=frozenset(FILTERS)), embed=None, cross_encoder=None
    )
    report, rows, notes = written(tmp_path, [json.dumps(answer)], none)
    assert [row.negative for row in rows] == ["how do I brew mint tea"]
    assert report.removed == {"unreadable": 5}
    assert [(note["kind"], note["text"], note["reason"]) for note in notes] == [
        ("paraphrase", '"ring the \\u0007 bell"', "holds control or half characters"),
        ("paraphrase", "3", "is of type int"),
        ("negative", '"how do I brew 2 cups of green tea"', "trap 'numeric' was not asked for"),
        (
            "negative",
            '{"kind": "role", "negative": "how does green tea brew me"}',
            "trap 'none' was not asked for",
        ),
        ("negative", '"how do I brew green tea at the office"', "trap 'none' was not asked for"),
    ]
    assert report.examples["unreadable"][0]["query"] == QUERIES[0]
