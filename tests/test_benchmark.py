"""The benchmark: its figures against independent computations, its files, its tables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from semantic_router_lora import Embedder
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.benchmark.report import (
    margin_table,
    to_markdown,
    transfer_table,
    trap_table,
)
from semantic_router_lora.benchmark.results import read_results
from semantic_router_lora.benchmark.run import pair_with_dev, run_benchmark
from semantic_router_lora.benchmark.suite import GENERAL, Suite, load_suites
from semantic_router_lora.errors import DataError, InputError


def four_domains() -> list[Suite]:
    return [suite for suite in load_suites(["bundled"]) if suite.domain != GENERAL]


@pytest.fixture(scope="module")
def results(adapter_folder: Path):
    return run_benchmark(
        four_domains(),
        base=DEFAULT_BASE,
        dev=[suite for suite in load_suites(["bundled:dev"]) if suite.domain != GENERAL],
        adapters=[str(adapter_folder)],
        sample_size=80,
        command="a command",
    )


def test_margin_equals_one_computed_pair_by_pair(adapter_folder):
    suites = [suite.sample(12, 0) for suite in four_domains()]
    results = run_benchmark(suites, base=DEFAULT_BASE, adapters=[str(adapter_folder)])
    embedder = Embedder(adapter=str(adapter_folder))
    for suite, domain in zip(suites, results.suites, strict=True):
        margins = []
        for triplet in suite.triplets:
            anchor, positive, negative = embedder.encode(list(triplet.texts))
            margins.append(anchor @ positive - anchor @ negative)
        figure = domain.figures[adapter_folder.name]["margin"]
        assert figure.value == pytest.approx(np.mean(margins), abs=1e-5)


def test_results_say_where_they_come_from_and_are_read_back(results, tmp_path):
    path = tmp_path / "results.json"
    path.write_text(results.to_json())
    assert read_results(path).to_json() == results.to_json()
    content = json.loads(path.read_text())
    assert content["command"] == "a command"
    assert content["seed"] == 42
    assert {"torch", "semantic-router"} <= content["environment"]["versions"].keys()
    fingerprints = {info["fingerprint"] for info in content["embedders"].values()}
    assert len(fingerprints) == 2
    for domain in content["suites"]:
        assert len(domain["sha256"]) == 64
        assert (domain["triplets"], domain["sampled_from"]) == (80, 200)


def test_sampling_is_repeatable_and_seeded():
    suite = load_suites(["bundled"])[0]
    assert suite.sample(30, 1) == suite.sample(30, 1) != suite.sample(30, 2)
    assert suite.sample(None, 1) == suite.sample(10_000, 1) == suite
    assert len(set(suite.sample(30, 1).triplets)) == 30


def test_margin_table(results, adapter_folder):
    table = margin_table(results)
    # the adapter's folder tells no domains, so that it is called by its name
    assert table.columns == (
        "Domain",
        "Test triplets",
        "Baseline margin",
        "Domain-specific",
        adapter_folder.name,
        "Winner",
    )
    assert [row[0] for row in table.rows] == ["medical", "law", "programming", "psychology"]
    for row, domain in zip(table.rows, results.suites, strict=True):
        base = domain.figures["baseline"]["margin"].value
        adapted = domain.figures[adapter_folder.name]["margin"].value
        assert row[2] == f"{base:.4f}"
        assert row[3] == "–"
        assert row[4].startswith(f"{adapted:.4f}")
        if base > 0:
            assert f"({(adapted - base) / base:+.1%})" in row[4]
        assert row[5] == (adapter_folder.name if adapted > base else "Baseline")
    markdown = to_markdown(results)
    assert "| Domain | Test triplets | Baseline margin |" in markdown
    assert "`a command`" in markdown


def test_traps_and_transfer(results, adapter_folder):
    assert len(trap_table(results).rows) == 4 * 6 * 2
    for suite in results.suites:
        assert sum(suite.trap_counts.values()) == suite.triplets
        # the margin of the whole is the mean of the slices, weighted by their size
        whole = sum(
            suite.traps[trap]["baseline"]["margin"].value * count
            for trap, count in suite.trap_counts.items()
        )
        margin = suite.figures["baseline"]["margin"].value
        assert whole / suite.triplets == pytest.approx(margin, abs=1e-5)
    rows = transfer_table(results).rows
    assert [row[0] for row in rows] == ["baseline", adapter_folder.name]
    assert all("(" in cell for cell in rows[1][1:])


def test_thresholds_come_from_dev_and_hold_on_test(results):
    suite = results.suites[0]
    assert suite.dev_source == "medical.dev.jsonl"
    figures = suite.figures["baseline"]
    assert {"threshold", "precision", "recall", "false_hit_rate", "calibration_error"} <= set(
        figures
    )
    without = run_benchmark(four_domains()[:1], base=DEFAULT_BASE, adapters=[], sample_size=20)
    assert "threshold" not in without.suites[0].figures["baseline"]


def test_dev_suites_are_paired_or_refused():
    medical, law = four_domains()[:2]
    other, law_dev = (replace(suite, sha256="0" * 64) for suite in (law, law))
    assert pair_with_dev([medical], [other]) == {"medical": other}  # one and one belong together
    assert pair_with_dev([medical, law], [law_dev]) == {"law": law_dev}
    with pytest.raises(InputError, match=r"\['general'\] belong to no suite"):
        pair_with_dev([medical, law], load_suites(["bundled:dev"])[-1:])
    with pytest.raises(InputError, match="more than one dev suite"):
        pair_with_dev([medical, law], [law, law])


def test_a_suite_is_not_its_own_dev():
    medical = four_domains()[0]
    for dev in (medical, replace(medical, domain="x", source="copy.jsonl")):
        with pytest.raises(InputError, match="is a suite and a dev suite"):
            pair_with_dev([medical], [dev])


def test_an_adapter_for_another_domain_is_called_by_its_name(make_adapter, tmp_path):
    special = make_adapter(tmp_path / "medical-special")
    info = {"data": {"domains": {"medical": 10}}}
    (special / "training_info.json").write_text(json.dumps(info))
    law = [suite for suite in four_domains() if suite.domain == "law"]
    results = run_benchmark(law, base=DEFAULT_BASE, adapters=[str(special)], sample_size=10)
    assert margin_table(results).columns[-2] == "medical-special"


def test_two_adapters_of_one_name(adapter_folder, make_adapter, tmp_path):
    twin = make_adapter(tmp_path / adapter_folder.name)
    with pytest.raises(InputError, match="two adapters are called"):
        run_benchmark(four_domains(), base=DEFAULT_BASE, adapters=[str(adapter_folder), str(twin)])


def test_domain_specific_column(adapter_folder, make_adapter, tmp_path):
    special = make_adapter(tmp_path / "law-special", seed=3)
    info = {"data": {"domains": {"law": 10}}}
    (special / "training_info.json").write_text(json.dumps(info))
    results = run_benchmark(
        four_domains(),
        base=DEFAULT_BASE,
        adapters=[str(special), str(adapter_folder)],
        sample_size=10,
    )
    rows = {row[0]: row for row in margin_table(results).rows}
    law = next(domain for domain in results.suites if domain.domain == "law")
    assert rows["law"][3].startswith(f"{law.figures['law-special']['margin'].value:.4f}")
    assert rows["medical"][3] == "–"


def test_a_users_own_file(tmp_path, adapter_folder):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"anchor": "a b", "positive": "b a", "negative": "c d"}\n' * 3)
    results = run_benchmark(
        load_suites([str(path)]), base=DEFAULT_BASE, adapters=[str(adapter_folder)]
    )
    assert [(d.domain, d.triplets, d.source) for d in results.suites] == [("mine", 3, "mine.jsonl")]


def test_bad_arguments(tmp_path):
    with pytest.raises(DataError, match="the splits are"):
        load_suites(["bundled:train"])
    with pytest.raises(DataError, match="no such file"):
        load_suites([str(tmp_path / "none.jsonl")])
    with pytest.raises(InputError, match="seed"):
        run_benchmark(four_domains(), base=DEFAULT_BASE, seed=-1)
    with pytest.raises(InputError, match="sample size"):
        run_benchmark(load_suites(["bundled:dev"]), base=DEFAULT_BASE, sample_size=0)
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(DataError, match="no benchmark results"):
        read_results(tmp_path / "bad.json")


def test_suites_are_read_with_all_fields():
    triplet = load_suites(["bundled"])[0].triplets[0]
    assert triplet.domain == "medical"
    assert triplet.trap and triplet.group and triplet.source
