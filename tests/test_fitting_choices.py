"""Fitting to routes: how is chosen, and from which score on."""

from __future__ import annotations

import numpy as np
import pytest
import semantic_router

from semantic_router_lora.fitting.held_out import (
    Choices,
    HeldOut,
    _treated_right,
    best_scoring,
    choices,
    rise,
)
from semantic_router_lora.fitting.routes import NONE
from semantic_router_lora.fitting.scores import Neighbours, Scoring
from semantic_router_lora.fitting.thresholds import (
    Calibration,
    apply_thresholds,
    fit_thresholds,
)

LINE_1 = hasattr(semantic_router, "IndexedRouter")


def unit(*shape: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=shape).astype(np.float32) + 0.4
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.mark.skipif(not LINE_1, reason="IndexedRouter")
@pytest.mark.parametrize("aggregation", ["mean", "max", "sum"])
@pytest.mark.parametrize("top_k", [1, 3, 5, 20])
def test_choices_and_confidences_are_those_of_the_real_router(aggregation, top_k):
    from semantic_router import IndexedRouter, Route
    from semantic_router.calibration import Calibrator
    from semantic_router.encoders import DenseEncoder

    utterances, queries = unit(24, 8), unit(40, 8, seed=1)
    vectors = {f"u{n}": v for n, v in enumerate(utterances)}
    vectors |= {f"q{n}": v for n, v in enumerate(queries)}

    class Known(DenseEncoder):
        def __call__(self, docs):
            return [vectors[doc].tolist() for doc in docs]

    labels = np.arange(24) % 5
    routes = [
        Route(name=str(n), utterances=[f"u{row}" for row in np.flatnonzero(labels == n)])
        for n in range(5)
    ]
    calibration = Calibration(6.5, -3.25)
    router = IndexedRouter(
        encoder=Known(name="known"),
        routes=routes,
        aggregation=aggregation,
        top_k=top_k,
        calibrator=Calibrator("platt", {"a": [calibration.a], "b": [calibration.b]}),
    )
    found = Neighbours.of(queries, utterances, labels)
    chosen, scores = Scoring(top_k, aggregation).choose(found)
    theirs = [router(f"q{n}") for n in range(40)]
    assert [int(choice.name) for choice in theirs] == chosen.tolist()
    assert np.allclose([choice.confidence for choice in theirs], calibration(scores), atol=1e-6)


def test_line_0_0_compares_thresholds_with_the_best_utterance():
    found = Neighbours(np.array([[0.9, 0.5, 0.45]], np.float32), np.array([[0, 1, 1]]))
    assert Scoring(3, "sum").choose(found) == (1, pytest.approx(0.95))
    assert Scoring(3, "sum", best_passes=True).choose(found) == (1, pytest.approx(0.5))


def found_choices(scores: list[float], right: list[bool]) -> Choices:
    return Choices(np.zeros(len(scores), np.intp), np.array(scores), np.array(right))


def test_threshold_without_queries_that_have_no_route_keeps_the_right_ones():
    labels = np.zeros(20, np.intp)
    scores = [0.5 + n / 100 for n in range(20)]
    found = fit_thresholds(found_choices(scores, [True] * 20), labels)
    assert found.calibration is None and found.probability is None  # all right
    assert (np.array(scores) >= found.score).mean() >= 0.95
    assert found.by_route[0] == found.score
    five = fit_thresholds(found_choices(scores[:5], [True] * 5), labels[:5])
    assert five.by_route == {0: 0.5}  # of five, none is lost
    assert fit_thresholds(found_choices(scores, [False] * 20), labels).score == 0.0


def test_threshold_with_queries_that_have_no_route_parts_them():
    labels = np.array([0, 0, 0, 0, 0, NONE, NONE, NONE])
    scores = [0.9, 0.8, 0.8, 0.7, 0.3, 0.65, 0.4, 0.2]
    found = fit_thresholds(found_choices(scores, [True] * 4 + [False] * 4), labels)
    assert 0.65 < found.score <= 0.7
    assert found.by_route == {}
    probability = found.calibration(np.array(scores))
    assert ((probability >= found.probability) == (np.array(scores) >= found.score)).all()


@pytest.mark.parametrize("top", [0.9, 3.5])
def test_where_no_choice_is_right_everything_is_refused(top):
    labels = np.array([0, NONE, NONE])
    found = fit_thresholds(found_choices([top, 0.4, top], [False] * 3), labels)
    assert found.score > top


def test_equal_scores_are_accepted_or_refused_together():
    labels = np.array([0, 0, NONE, NONE, NONE])
    found = fit_thresholds(found_choices([0.5] * 5, [True, True, False, False, False]), labels)
    assert found.score > 0.5


def test_thresholds_are_judged_on_folds_that_they_were_not_fitted_on():
    # what parts the first fold would keep all of the second, and the other way round nothing
    labels = np.array([0, 0, NONE, NONE] * 2)
    scores = [0.4, 0.35, 0.1, 0.05, 0.9, 0.85, 0.6, 0.55]
    right = [True, True, False, False] * 2
    folds = np.array([0] * 4 + [1] * 4)
    found = apply_thresholds(found_choices(scores, right), labels, folds)
    assert (found.routed, found.refused) == (0.5, 0.5)
    assert found.calibration_error is not None and found.calibration_error > 0.2
    inside = apply_thresholds(found_choices([0.5] * 4, [True] * 4), np.zeros(4, int), folds[:4])
    assert (inside.routed, inside.refused, inside.calibration_error) == (1.0, None, None)


def test_scoring_is_chosen_without_the_fold_that_it_is_judged_on():
    # each scoring is right in one fold alone, where the other one must be taken
    labels = np.array([0, 0, 0, 1])
    found = Neighbours(
        np.array([[0.9, 0.5, 0.5]] * 4, np.float32),
        np.array([[1, 0, 0], [0, 1, 1], [0, 1, 1], [1, 0, 0]]),
    )
    held = HeldOut(tuple("abcd"), labels, np.array([0, 1, 1, 1]), {0.0: found}, {0.0: found})
    chosen = choices(held, held.after, [Scoring(3, "max"), Scoring(3, "sum")])
    assert not chosen.right.any()


def test_rise_counts_queries_with_a_route_alone():
    labels = np.array([0] * 40 + [NONE] * 10)
    before = found_choices([0.5] * 50, [True] * 20 + [False] * 30)
    after = found_choices([0.5] * 50, [True] * 40 + [False] * 10)
    found = rise(before, after, labels, seed=0)
    assert (found.before, found.after, found.queries, found.holds) == (0.5, 1.0, 40, True)
    assert not rise(before, before, labels, seed=0).holds


def test_a_lone_fold_is_cut_in_two():
    """The scoring of each half is the one that serves the other."""
    labels = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    wrong, right = (
        Neighbours(np.ones((8, 1), np.float32), found[:, None]) for found in (1 - labels, labels)
    )
    by_weight = {0.0: wrong, 0.7: right}
    held_out = HeldOut(tuple("abcdefgh"), labels, np.zeros(8, np.intp), by_weight, by_weight)
    scorings = [Scoring(1, "max"), Scoring(1, "max", 0.7)]
    assert choices(held_out, by_weight, scorings).right.all()
    assert not choices(held_out, by_weight, scorings[:1]).right.any()
    assert best_scoring(held_out, by_weight, scorings) == scorings[1]


def test_a_scoring_that_refuses_is_worth_as_much_as_one_that_finds():
    routes, labels = np.array([0, 0, 1, 1, 0]), np.array([0, 0, 1, NONE, NONE])
    assert _treated_right(routes[:3], np.array([0.1, 0.2, 0.3]), labels[:3]) == 3
    assert _treated_right(routes, np.array([0.9, 0.8, 0.7, 0.2, 0.1]), labels) == 5
    assert _treated_right(routes, np.array([0.9, 0.2, 0.1, 0.7, 0.6]), labels) == 3
    assert _treated_right(1 - routes, np.full(5, 0.5), labels) == 2  # refuse all
