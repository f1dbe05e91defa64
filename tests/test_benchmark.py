"""The benchmark: its figures against independent computations, its files, its tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from semantic_router_lora import Embedder
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.benchmark.metrics import Similarities, average_precision, measure
from semantic_router_lora.benchmark.report import figures_table, margin_table, to_markdown
from semantic_router_lora.benchmark.results import read_results
from semantic_router_lora.benchmark.run import run_benchmark
from semantic_router_lora.benchmark.suite import load_suites
from semantic_router_lora.errors import DataError, InputError


def test_metrics_by_hand():
    figures = measure(Similarities(np.array([0.9, 0.5, 0.7]), np.array([0.8, 0.6, 0.1])), seed=0)
    assert figures["margin"].value == pytest.approx((0.1 - 0.1 + 0.6) / 3)
    assert figures["cosine_accuracy"].value == pytest.approx(2 / 3)
    # ranked: + 0.9, - 0.8, + 0.7, - 0.6, + 0.5; precision at each positive: 1, 2/3, 3/5
    assert figures["average_precision"].value == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


def test_average_precision_is_scikit_learns_with_ties_and_weights():
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    positive, negative = rng.integers(0, 9, 80) / 10.0, rng.integers(0, 8, 80) / 10.0
    weights = rng.integers(0, 4, (20, 80)).astype(float)
    ours = average_precision(Similarities(positive, negative), weights)
    labels, scores = np.repeat([1, 0], 80), np.concatenate([positive, negative])
    theirs = [
        sklearn_metrics.average_precision_score(labels, scores, sample_weight=np.tile(row, 2))
        for row in weights
    ]
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_intervals_hold_the_value_and_narrow_with_more_triplets():
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(0.8, 0.1, 1000), rng.normal(0.7, 0.1, 1000)
    wide = measure(Similarities(positive[:50], negative[:50]), seed=1)
    narrow = measure(Similarities(positive, negative), seed=1)
    for name in wide:
        for figures in (wide, narrow):
            assert figures[name].low <= figures[name].value <= figures[name].high
        assert narrow[name].high - narrow[name].low < wide[name].high - wide[name].low
    margin = narrow["margin"]  # of a mean, the normal interval is known
    assert margin.high - margin.low == pytest.approx(2 * 1.96 * 0.1 * 2**0.5 / 1000**0.5, rel=0.15)


@pytest.fixture(scope="module")
def results(adapter_folder: Path):
    return run_benchmark(
        load_suites(["bundled:dev"]),
        base=DEFAULT_BASE,
        adapters=[str(adapter_folder)],
        sample_size=20,
        command="a command",
    )


def test_margin_equals_one_computed_pair_by_pair(adapter_folder):
    suites = [suite.sample(12, 0) for suite in load_suites(["bundled:dev"])]
    results = run_benchmark(suites, base=DEFAULT_BASE, adapters=[str(adapter_folder)])
    embedder = Embedder(adapter=str(adapter_folder))
    for suite, domain in zip(suites, results.domains, strict=True):
        margins = []
        for triplet in suite.triplets:
            anchor, positive, negative = embedder.encode(list(triplet.texts))
            margins.append(anchor @ positive - anchor @ negative)
        figure = domain.figures[adapter_folder.name]["margin"]
        assert figure.value == pytest.approx(np.mean(margins), abs=1e-5)


def test_results_say_where_they_come_from_and_are_read_back(results, tmp_path):
    path = tmp_path / "results.json"
    path.write_text(results.to_json())
    assert read_results(path) == results
    content = json.loads(path.read_text())
    assert content["command"] == "a command"
    assert content["seed"] == 42
    assert {"torch", "semantic-router"} <= content["environment"]["versions"].keys()
    fingerprints = {info["fingerprint"] for info in content["embedders"].values()}
    assert len(fingerprints) == 2
    for domain in content["domains"]:
        assert len(domain["sha256"]) == 64
        assert (domain["triplets"], domain["sampled_from"]) == (20, 60)


def test_sampling_is_repeatable_and_seeded():
    suite = load_suites(["bundled"])[0]
    assert suite.sample(30, 1) == suite.sample(30, 1) != suite.sample(30, 2)
    assert suite.sample(None, 1) == suite.sample(10_000, 1) == suite
    assert len(set(suite.sample(30, 1).triplets)) == 30


def test_margin_table(results, adapter_folder):
    table = margin_table(results)
    assert table.columns == (
        "Domain",
        "Test triplets",
        "Baseline margin",
        "Domain-specific",
        "Multi-domain",
        "Winner",
    )
    assert [row[0] for row in table.rows] == ["medical", "law", "programming", "psychology"]
    for row, domain in zip(table.rows, results.domains, strict=True):
        base = domain.figures["baseline"]["margin"].value
        adapted = domain.figures[adapter_folder.name]["margin"].value
        assert row[2] == f"{base:.4f}"
        assert row[3] == "–"
        assert row[4].startswith(f"{adapted:.4f}")
        if base > 0:
            assert f"({(adapted - base) / base:+.1%})" in row[4]
        assert row[5] == ("Multi-domain" if adapted > base else "Baseline")
    assert len(figures_table(results).rows) == 8
    markdown = to_markdown(results)
    assert "| Domain | Test triplets | Baseline margin |" in markdown
    assert "`a command`" in markdown


def test_domain_specific_column(adapter_folder, make_adapter, tmp_path):
    special = make_adapter(tmp_path / "law-special", seed=3)
    info = {"data": {"domains": {"law": 10}}}
    (special / "training_info.json").write_text(json.dumps(info))
    results = run_benchmark(
        load_suites(["bundled:dev"]),
        base=DEFAULT_BASE,
        adapters=[str(special), str(adapter_folder)],
        sample_size=10,
    )
    rows = {row[0]: row for row in margin_table(results).rows}
    law = next(domain for domain in results.domains if domain.domain == "law")
    assert rows["law"][3].startswith(f"{law.figures['law-special']['margin'].value:.4f}")
    assert rows["medical"][3] == "–"


def test_a_users_own_file(tmp_path, adapter_folder):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"anchor": "a b", "positive": "b a", "negative": "c d"}\n' * 3)
    results = run_benchmark(
        load_suites([str(path)]), base=DEFAULT_BASE, adapters=[str(adapter_folder)]
    )
    assert [(d.domain, d.triplets, d.source) for d in results.domains] == [
        ("mine", 3, "mine.jsonl")
    ]


def test_bad_arguments(tmp_path):
    with pytest.raises(DataError, match="the splits are"):
        load_suites(["bundled:train"])
    with pytest.raises(DataError, match="no such file"):
        load_suites([str(tmp_path / "none.jsonl")])
    with pytest.raises(InputError, match="sample size"):
        run_benchmark(load_suites(["bundled:dev"]), base=DEFAULT_BASE, sample_size=0)
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(DataError, match="no benchmark results"):
        read_results(tmp_path / "bad.json")


def test_suites_are_read_with_all_fields():
    triplet = load_suites(["bundled"])[0].triplets[0]
    assert triplet.domain == "medical"
    assert triplet.trap and triplet.group and triplet.source
