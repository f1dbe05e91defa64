"""Each figure against an independent computation."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from semantic_router_lora.benchmark import measure as measure_module
from semantic_router_lora.benchmark.measure import measure
from semantic_router_lora.benchmark.metrics import (
    average_precision,
    best_f1,
    best_f1_threshold,
    cosine_accuracy,
    crr,
    curve,
    margin,
    p_chr_auc,
    recall_at,
    roc_auc,
    standardized_margin,
)
from semantic_router_lora.benchmark.operating_point import choose_threshold, fit_operating_point
from semantic_router_lora.benchmark.similarities import Similarities

N = 80


@pytest.fixture
def ties() -> Similarities:
    rng = np.random.default_rng(0)
    return Similarities(rng.integers(0, 9, N) / 10.0, rng.integers(0, 8, N) / 10.0)


@pytest.fixture
def smooth() -> Similarities:
    rng = np.random.default_rng(1)
    return Similarities(rng.normal(0.8, 0.1, 1000), rng.normal(0.7, 0.1, 1000))


LABELS = np.repeat([1, 0], N)
ONES = np.ones((1, N))


def scores(similarities: Similarities) -> np.ndarray:
    return np.concatenate([similarities.positive, similarities.negative])


def weights_for(rows: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 4, (rows, N)).astype(float)


def test_by_hand():
    three = Similarities(np.array([0.9, 0.5, 0.7]), np.array([0.8, 0.6, 0.1]))
    ones = np.ones((1, 3))
    assert margin(three, ones)[0] == pytest.approx((0.1 - 0.1 + 0.6) / 3)
    assert cosine_accuracy(three, ones)[0] == pytest.approx(2 / 3)
    # ranked: + 0.9, - 0.8, + 0.7, - 0.6, + 0.5, - 0.1
    counts = curve(three, ones)
    assert average_precision(counts)[0] == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    precision = [1, 1 / 2, 2 / 3, 2 / 4, 3 / 5, 3 / 6]
    assert p_chr_auc(counts)[0] == pytest.approx(sum(precision) / 6)
    assert crr(counts)[0] == pytest.approx(p_chr_auc(counts)[0] / average_precision(counts)[0])
    assert recall_at(0.34)(counts)[0] == pytest.approx(2 / 3)
    assert recall_at(0.01)(counts)[0] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(average_precision, average_precision_score), (roc_auc, roc_auc_score)]
)
def test_areas_are_scikit_learns_with_ties_and_weights(ties, ours, theirs):
    weights = weights_for(20)
    expected = [theirs(LABELS, scores(ties), sample_weight=np.tile(row, 2)) for row in weights]
    np.testing.assert_allclose(ours(curve(ties, weights)), expected, atol=1e-12)


def test_best_f1_is_the_best_of_scikit_learns_thresholds(ties):
    precision, recall, thresholds = precision_recall_curve(LABELS, scores(ties))
    expected = (2 * precision * recall / np.maximum(precision + recall, 1e-12)).max()
    counts = curve(ties, ONES)
    assert best_f1(counts)[0] == pytest.approx(expected)
    threshold = best_f1_threshold(counts)[0]
    assert f1_score(LABELS, scores(ties) >= threshold) == pytest.approx(expected)
    assert threshold in thresholds


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3])
def test_recall_at_a_false_hit_rate_is_read_off_the_roc_curve(ties, smooth, rate):
    for similarities in (ties, smooth):
        n = len(similarities.positive)
        false, true, _ = roc_curve(
            np.repeat([1, 0], n), scores(similarities), drop_intermediate=False
        )
        expected = true[false <= rate].max()
        assert recall_at(rate)(curve(similarities, np.ones((1, n))))[0] == pytest.approx(expected)


def test_standardized_margin_ignores_scale_and_is_cohens_d(smooth):
    ones = np.ones((1, 1000))
    spread = np.sqrt((smooth.positive.var() + smooth.negative.var()) / 2)
    expected = (smooth.positive.mean() - smooth.negative.mean()) / spread
    assert standardized_margin(smooth, ones)[0] == pytest.approx(expected)
    wider = Similarities(smooth.positive * 3, smooth.negative * 3)
    assert standardized_margin(wider, ones)[0] == pytest.approx(expected)


def test_weights_are_repetitions(ties):
    weights = weights_for(1)
    rows = np.repeat(np.arange(N), weights[0].astype(int))
    repeated = ties[rows]
    ones = np.ones((1, len(rows)))
    for metric in (margin, standardized_margin, cosine_accuracy):
        assert metric(ties, weights)[0] == pytest.approx(metric(repeated, ones)[0])
    for metric in (average_precision, roc_auc, best_f1, p_chr_auc, recall_at(0.05)):
        ours = metric(curve(ties, weights))[0]
        assert ours == pytest.approx(metric(curve(repeated, ones))[0])


def test_frozen_threshold_serves_what_dev_allows(smooth):
    threshold = choose_threshold(smooth, 0.05)
    assert (smooth.negative >= threshold).mean() <= 0.05
    lower = np.sort(smooth.negative[smooth.negative < threshold])[-1]
    assert (smooth.negative >= lower).mean() > 0.05
    hopeless = Similarities(np.array([0.1, 0.2]), np.array([0.9, 0.8]))
    assert choose_threshold(hopeless, 0.05) > 0.9


def test_operating_point_on_other_data(smooth):
    point = fit_operating_point(smooth[np.arange(500)])
    test = smooth[np.arange(500, 1000)]
    ones = np.ones((1, 500))
    served = test.positive >= point.threshold, test.negative >= point.threshold
    assert point.recall(test, ones)[0] == pytest.approx(served[0].mean())
    assert point.false_hit_rate(test, ones)[0] == pytest.approx(served[1].mean())
    expected = served[0].sum() / (served[0].sum() + served[1].sum())
    assert point.precision(test, ones)[0] == pytest.approx(expected)
    assert np.isnan(point.precision(Similarities(test.positive - 5, test.negative - 5), ones)[0])


def test_calibration_error_is_that_of_scikit_learns_curve(smooth):
    point = fit_operating_point(smooth)
    confidence = 1 / (1 + np.exp(-(point.slope * scores(smooth) + point.intercept)))
    labels = np.repeat([1, 0], 1000)
    accuracy, mean = calibration_curve(labels, confidence, n_bins=10)
    counts = np.histogram(confidence, np.linspace(0, 1, 11))[0]
    expected = (np.abs(accuracy - mean) * counts[counts > 0]).sum() / counts.sum()
    error = point.calibration_error(smooth, np.ones((1, 1000)))[0]
    assert error == pytest.approx(expected, abs=1e-9)
    assert error < 0.05  # Platt scaling fits two normal distributions


def test_intervals_hold_the_value_and_narrow_with_more_triplets(smooth):
    wide, narrow = measure(smooth[np.arange(50)], seed=1), measure(smooth, seed=1)
    for name in ("margin", "average_precision", "roc_auc"):
        for figures in (wide, narrow):
            assert figures[name].low <= figures[name].value <= figures[name].high
        assert narrow[name].high - narrow[name].low < wide[name].high - wide[name].low
    figure = narrow["margin"]  # of a mean, the normal interval is known
    expected = 2 * 1.96 * 0.1 * 2**0.5 / 1000**0.5
    assert figure.high - figure.low == pytest.approx(expected, rel=0.15)


def test_shares_have_an_interval_at_zero_and_one():
    apart = Similarities(np.full(20, 0.9), np.full(20, 0.1))
    figures = measure(apart, seed=0, point=fit_operating_point(apart))
    assert figures["false_hit_rate"].value == 0
    # Wilson's bound for 0 of 20
    assert figures["false_hit_rate"].high == pytest.approx(0.1611, abs=1e-4)
    assert figures["cosine_accuracy"].low == pytest.approx(1 - 0.1611, abs=1e-4)
    assert figures["precision"].low == pytest.approx(1 - 0.1611, abs=1e-4)
    assert np.isnan(figures["standardized_margin"].value)  # there is no spread


def test_blocks_of_samples_change_nothing(ties, monkeypatch):
    whole = measure(ties, seed=3)
    monkeypatch.setattr(measure_module, "_CELLS", 37 * 2 * N)
    assert measure(ties, seed=3) == whole
