"""Thresholds that keep a budget of false hits, and the labelled pairs that they are chosen on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from semantic_router_lora.benchmark.calibrate import (
    advice,
    calibrate,
    negatives_needed,
    quantile_interval,
)
from semantic_router_lora.data.pairs import read_pairs
from semantic_router_lora.errors import DataError, InputError


def test_calibration_keeps_its_promise_on_other_data():
    """Of many calibrations, no more than one in twenty may break the budget."""
    rng = np.random.default_rng(0)
    budget, broken = 0.02, 0
    population = rng.normal(0.6, 0.1, 200_000)
    for _ in range(60):
        negative = rng.choice(population, 400)
        found = calibrate(rng.normal(0.8, 0.1, 100), negative, max_false_hits=budget)
        broken += (population >= found.threshold).mean() > budget
        assert found.false_hit_bound <= budget
        # 3 of 400 are allowed
        assert found.threshold_interval is not None
        assert found.threshold_interval[0] <= found.threshold <= found.threshold_interval[1]
        assert found.hit_rate_interval[0] <= found.hit_rate <= found.hit_rate_interval[1]
    assert broken <= 7  # 3 expected; more than 7 in one of 50 such tests


@pytest.mark.parametrize(("count", "rank"), [(163, 4), (400, 8), (1000, 40)])
def test_the_interval_of_the_threshold_covers_what_it_says(count, rank):
    rng = np.random.default_rng(1)
    quantile, missed = 1 - rank / (count + 1), np.zeros(2)
    for _ in range(1000):
        found = quantile_interval(rng.uniform(size=count), rank)
        assert found is not None
        missed += [quantile < found[0], quantile > found[1]]
    assert (missed <= 40).all()  # 25 expected at most, of each side


def test_a_threshold_by_one_to_three_pairs_has_no_interval():
    negative = np.linspace(0, 1, 400)
    assert [quantile_interval(negative, rank) is None for rank in (1, 2, 3, 4)] == [
        True,
        True,
        True,
        False,
    ]
    found = calibrate(np.ones(100), np.linspace(0, 0.9, 60), max_false_hits=0.05)
    assert (found.false_hits, found.threshold_interval) == (0, None)


def test_calibration_is_as_low_as_it_may_be():
    negative = np.linspace(0, 0.9, 1000)
    found = calibrate(np.linspace(0.5, 1, 100), negative, max_false_hits=0.05)
    assert found.false_hits == (negative >= found.threshold).sum()
    # one more false hit would break the bound
    from scipy.stats import beta

    assert beta.ppf(0.95, found.false_hits + 2, 1000 - found.false_hits - 1) > 0.05


def test_what_is_printed_is_what_was_tested():
    rng = np.random.default_rng(4)
    positive, negative = rng.normal(0.8, 0.1, 5000), rng.normal(0.7, 0.1, 5000)
    found = calibrate(positive, negative, max_false_hits=0.05)
    assert float(f"{found.threshold:.4f}") == found.threshold
    assert found.false_hits == (negative >= found.threshold).sum()
    assert found.hit_rate == (positive >= found.threshold).mean()


def test_calibration_refuses_a_cache_that_would_serve_nothing():
    with pytest.raises(DataError, match="no threshold serves"):
        calibrate(np.full(100, 0.5), np.full(400, 1.0), max_false_hits=0.05)


def test_calibration_refuses_what_the_data_cannot_show():
    assert negatives_needed(0.01) == 299
    with pytest.raises(DataError, match="at least 299"):
        calibrate(np.ones(100), np.zeros(298), max_false_hits=0.01)
    assert calibrate(np.ones(100), np.zeros(299), max_false_hits=0.01).false_hits == 0
    with pytest.raises(DataError, match="too few"):
        calibrate(np.ones(5), np.zeros(299), max_false_hits=0.01)
    with pytest.raises(DataError, match="distinct pairs with different answers cannot"):
        calibrate(np.ones(100), np.zeros(299), max_false_hits=1e-17)
    with pytest.raises(InputError, match="between 0 and 1"):
        calibrate(np.ones(100), np.zeros(299), max_false_hits=1)


def test_advice_names_each_line():
    text = "\n".join(advice(calibrate(np.ones(100), np.zeros(299), max_false_hits=0.01)))
    for word in ("confidence_threshold=0.5", "score_threshold=0.5", "RouteLayer", "SemanticRouter"):
        assert word in text


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_pairs(tmp_path):
    path = lines(
        tmp_path / "pairs.jsonl",
        {"a": "x", "b": "y", "label": 1},
        {"sentence1": "x", "sentence2": "z", "label": "different"},
    )
    assert [(p.first, p.second, p.same) for p in read_pairs(path)] == [
        ("x", "y", True),
        ("x", "z", False),
    ]
    triplets = lines(tmp_path / "t.jsonl", {"anchor": "a", "positive": "b", "negative": "c"})
    assert [pair.same for pair in read_pairs(triplets)] == [True, False]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"a": "x", "b": "y", "label": 2}, ":2: label is 2"),
        ({"a": "x", "b": "y"}, ":2: label is None"),
        ({"a": "x", "label": 1}, ":2: expected two texts"),
        ({"a": "x", "b": "", "label": 1}, ":2: field 'b'"),
        ([], ":2: expected an object"),
        ({"a": "x", "b": "y", "label": 1}, "all 2 pairs are labelled same"),
    ],
)
def test_bad_pairs(tmp_path, row, message):
    path = lines(tmp_path / "pairs.jsonl", {"a": "x", "b": "y", "label": 1}, row)
    with pytest.raises(DataError, match=message):
        read_pairs(path)
