"""`adapter check`: figures measured again, on few triplets of each suite."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from check_outcomes import NAME, statuses

from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.resolve import resolve_adapter
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.benchmark.measure import Figure
from semantic_router_lora.benchmark.results import BASELINE, BenchmarkResults
from semantic_router_lora.benchmark.run import run_benchmark
from semantic_router_lora.benchmark.suite import load_suites
from semantic_router_lora.checking import check_adapter
from semantic_router_lora.checking.figures import compare_results
from semantic_router_lora.checking.subject import Subject
from semantic_router_lora.checking.suites import check_general

RESAMPLES = "semantic_router_lora.benchmark.measure.RESAMPLES"


@pytest.fixture(scope="module")
def suites() -> dict[str, list[Any]]:
    """Of each suite, ten triplets of one trap."""

    def few(suite: Any) -> Any:
        chosen = [triplet for triplet in suite.triplets if triplet.trap == "number"]
        return replace(suite, triplets=tuple(chosen[:10]))

    return {split: [few(s) for s in load_suites([f"bundled:{split}"])] for split in ("test", "dev")}


@pytest.fixture(scope="module")
def measured(suites) -> BenchmarkResults:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RESAMPLES, 100)
        return run_benchmark(
            suites["test"], dev=suites["dev"], base=DEFAULT_BASE, adapters=[NAME], device="cpu"
        )


def test_figures_are_measured_again(suites, measured, tmp_path, monkeypatch):
    monkeypatch.setattr(RESAMPLES, 100)
    for module in ("suites", "figures"):
        monkeypatch.setattr(
            f"semantic_router_lora.checking.{module}.bundled_suites", lambda split: suites[split]
        )
    folder = Path(shutil.copytree(resolve_adapter(NAME).folder, tmp_path / "mine"))
    (folder / layout.EVALUATION).write_text(measured.to_json(), encoding="utf-8")
    report = check_adapter(folder)
    found = statuses(report)
    assert found["fingerprint"][0] == "pass"
    assert found["figures"][0] == "pass", found["figures"]
    assert "figures of base and adapter measured again" in found["figures"][1]
    row = next(r for r in report.figures if (r.domain, r.metric) == ("law", "margin"))
    assert row.rerun == pytest.approx(row.adapter[0], abs=1e-5)
    assert f"| `law` | margin | {row.base:.4f} |" in report.to_markdown()

    better = changed(measured, "law", NAME, margin=shifted(0.5))
    (folder / layout.EVALUATION).write_text(better.to_json(), encoding="utf-8")
    status, message = statuses(check_adapter(folder))["figures"]
    assert status == "fail"
    assert message.startswith(f"law, {NAME}: margin is recorded as")


def shifted(by: float) -> Callable[[Figure], Figure]:
    return lambda figure: Figure(figure.value + by, figure.low + by, figure.high + by)


def changed(
    results: BenchmarkResults, domain: str, embedder: str, **metrics: Callable[[Figure], Figure]
) -> BenchmarkResults:
    results = copy.deepcopy(results)
    suite = next(suite for suite in results.suites if suite.domain == domain)
    for metric, change in metrics.items():
        suite.figures[embedder][metric] = change(suite.figures[embedder][metric])
    return results


@pytest.mark.parametrize(
    ("embedder", "change", "status", "reason"),
    [
        (NAME, lambda f: f, "pass", "measured again"),
        (NAME, lambda f: replace(f, value=f.value + 0.001), "pass", "measured again"),
        (NAME, lambda f: replace(f, value=f.value + 0.01), "warn", "not what was measured here"),
        (NAME, shifted(0.5), "fail", "is recorded as"),
        # a wide interval lets nothing pass
        (NAME, lambda _: Figure(0.9, -2.0, 2.0), "fail", "measured again it is"),
        (NAME, lambda f: Figure(f.value, -2.0, 2.0), "fail", "the interval of"),
        (NAME, lambda _: Figure(float("nan"), float("nan"), float("nan")), "fail", "recorded as"),
        # making the base look worse is cheating, too
        (BASELINE, shifted(-0.5), "fail", f"law, {BASELINE}"),
    ],
)
def test_recorded_figures_against_measured_ones(measured, embedder, change, status, reason):
    outcome = compare_results(changed(measured, "law", embedder, margin=change), measured)
    assert outcome.status == status, outcome
    assert reason in outcome.message


def test_a_figure_of_a_slice_and_one_that_is_missing(measured):
    results = copy.deepcopy(measured)
    law = next(suite for suite in results.suites if suite.domain == "law")
    trap = next(iter(law.traps))
    law.traps[trap][NAME]["margin"] = Figure(1.9, 1.8, 2.0)
    del law.figures[NAME]["recall"]
    outcome = compare_results(results, measured)
    assert outcome.status == "fail"
    assert f"law/{trap}, {NAME}: margin" in outcome.message
    assert "recall is not recorded" in outcome.message


def test_an_adapter_that_costs_much_elsewhere_is_remarked(measured):
    subject = Subject("mine", Path(), results=measured)
    assert check_general(subject).status == "pass"
    subject.results = changed(measured, "general", NAME, average_precision=shifted(-0.9))
    outcome = check_general(subject)
    assert outcome.status == "warn"
    assert "average_precision on everyday questions" in outcome.message


@pytest.mark.slow
def test_a_bundled_adapter_passes_with_the_whole_benchmark_run_again():
    found = statuses(check_adapter(resolve_adapter(NAME).folder))
    assert found["figures"][0] == "pass", found["figures"]
