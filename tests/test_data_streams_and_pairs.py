"""Streams out of files of triplets, and pairs that count once."""

from __future__ import annotations

import numpy as np
import pytest
from triplet_rows import row, write
from typer.testing import CliRunner

from semantic_router_lora.benchmark.calibrate import pair_cosines
from semantic_router_lora.benchmark.replay_run import _queries
from semantic_router_lora.cli import app
from semantic_router_lora.data.pairs import Pair, distinct_pairs, read_pairs
from semantic_router_lora.data.streams import read_stream, triplet_stream
from semantic_router_lora.data.triplets import Triplet
from semantic_router_lora.errors import DataError


def test_an_empty_name_is_none(tmp_path):
    lines = [{"text": "x", "answer": "", "intent": "i"}, {"text": "y", "answer": " ", "label": 0}]
    path = write(tmp_path / "stream.jsonl", *lines)
    assert [query.answer for query in read_stream(path)] == [f"{path}/i", f"{path}/0"]
    with pytest.raises(DataError, match=r":1: no field of .* names the answer"):
        list(read_stream(write(path, {"text": "x", "answer": ""})))


def test_rows_of_two_files_have_no_answer_in_common(tmp_path):
    (tmp_path / "a").mkdir()
    paths = [
        write(tmp_path / "a" / "t.jsonl", row("a", "b", "c")),
        write(tmp_path / "t.jsonl", row("d", "e", "f")),
    ]
    answers = {query.text: query.answer for query in _queries(paths, 1)}
    assert answers["a"] == answers["b"]
    assert answers["d"] == answers["e"]
    assert len(set(answers.values())) == 4


def test_rows_of_a_family_have_one_answer():
    triplets = [
        Triplet("a", "b", "c"),
        Triplet("A?", "b", "d"),  # as mining writes several near misses of a pair
        Triplet("e", "f", "g"),
        Triplet("f", "b", "h"),
        Triplet("i", "j", "d"),
    ]
    found = triplet_stream(triplets, seed=1)
    answers = {query.text: query.answer for query in found}
    assert len({answers[text] for text in ("a", "A?", "b", "e", "f")}) == 1
    assert len({answers[text] for text in "acdghi"}) == 6
    assert len({(query.text, query.answer) for query in found}) == len(answers)


def test_pairs_count_once_in_either_order():
    pairs = [
        Pair("a", "b", True),
        Pair("B?", " a", True),
        Pair("a", "b", False),
        Pair("a", "c", False),
    ]
    assert distinct_pairs(pairs) == [pairs[0], *pairs[2:]]

    class Texts:
        def encode(self, texts, show_progress):
            return np.ones((len(texts), 1), dtype=np.float32)

    positive, negative = pair_cosines(Texts(), pairs)
    assert (len(positive), len(negative)) == (1, 2)


def test_calibration_counts_distinct_pairs(tmp_path):
    rows = [{"a": f"pay bill {n}", "b": f"settle bill {n}", "label": 1} for n in range(30)]
    rows += [{"a": "pay a bill", "b": "feed the dog", "label": 0}] * 60
    path = write(tmp_path / "pairs.jsonl", *rows)
    done = CliRunner().invoke(app, ["calibrate", str(path), "--max-false-hits", "0.05"])
    assert "59 of 90 pairs are repeated and count once" in done.output
    assert isinstance(done.exception, DataError)
    assert str(done.exception).startswith("1 distinct pairs with different answers cannot show")

    several = [row("a", "b", f"near miss {n}") for n in range(3)]
    triplets = write(tmp_path / "triplets.jsonl", *several)
    assert [pair.same for pair in distinct_pairs(read_pairs(triplets))].count(True) == 1
