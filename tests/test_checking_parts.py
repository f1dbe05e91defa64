"""Parts of `adapter check`: figures measured again, training data against suites, patterns."""

from __future__ import annotations

import copy
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from semantic_router_lora import Embedder
from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.patterns import check_patterns
from semantic_router_lora.adapters.resolve import resolve_adapter
from semantic_router_lora.adapters.settings import applied_settings
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.benchmark.measure import Figure
from semantic_router_lora.benchmark.results import BASELINE, BenchmarkResults
from semantic_router_lora.benchmark.run import run_benchmark
from semantic_router_lora.benchmark.suite import load_suites
from semantic_router_lora.checking import check_adapter
from semantic_router_lora.checking.figures import compare_results
from semantic_router_lora.checking.subject import Subject
from semantic_router_lora.checking.suite_texts import SuiteTexts
from semantic_router_lora.checking.suites import check_general
from semantic_router_lora.errors import AdapterFormatError, DataError

RESAMPLES = "semantic_router_lora.benchmark.measure.RESAMPLES"
NAME = "psychology-cache-lora-L6"


def statuses(report: Any) -> dict[str, tuple[str, str]]:
    return {check.name: (check.status, check.message) for check in report.checks}


# The benchmark, on few triplets of each suite.


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


# Training data.


def text_of(split: str, domain: str, words: int) -> str:
    """A text of a suite that has at least so many words."""
    suite = next(s for s in load_suites([f"bundled:{split}"]) if s.domain == domain)
    return next(t.positive for t in suite.triplets if len(t.positive.split()) >= words)


def contamination(tmp_path: Path, *texts: str, **row: Any) -> tuple[str, str]:
    path = tmp_path / "train.jsonl"
    rows = [{"anchor": text, "positive": f"quite another matter {text[:2]}"} for text in texts]
    path.write_text("".join(json.dumps(content) + "\n" for content in [*rows, row] if content))
    (tmp_path / "empty").mkdir(exist_ok=True)
    return statuses(check_adapter(tmp_path / "empty", data=[path]))["contamination"]


def test_texts_of_the_test_suites_fail(tmp_path):
    text = text_of("test", "law", 14)
    for own in (
        text,
        text.upper() + " ?",
        f"Good day to you all, this is a question of mine. {text} Thanks!",
        " ".join([*text.split(), "please"]),
    ):
        status, message = contamination(tmp_path, "nothing of the kind", own)
        assert status == "fail", own
        assert message.startswith("1 texts of the test suites were trained on:\ntrain.jsonl:2 ")
        assert "a text of test (law, row" in message
    status, message = contamination(tmp_path, a="unlike", b=text, label=0)
    assert status == "fail"


def test_texts_of_dev_and_common_phrases_are_remarked(tmp_path):
    assert contamination(tmp_path, text_of("dev", "general", 6))[0] == "warn"
    words = text_of("test", "law", 20).split()
    status, message = contamination(tmp_path, " ".join(["and", "so", *words[:9]]))
    assert status == "warn"
    assert "runs of 8 words" in message


def test_own_texts_pass(tmp_path):
    status, message = contamination(tmp_path, "who may open my mail", "how long does a claim last")
    assert status == "pass"
    assert "none of 4 texts" in message


def test_training_data_that_are_not_the_recorded_ones(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text('{"anchor": "who may open my mail", "positive": "x"}\n')
    folder = resolve_adapter(NAME).folder
    status, message = statuses(check_adapter(folder, data=[path], rerun=False))["contamination"]
    assert status == "warn"
    assert "psychology.jsonl, which was not given" in message


def test_broken_training_data_are_the_callers(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text("{")
    with pytest.raises(DataError, match=r"train\.jsonl:1"):
        check_adapter(resolve_adapter(NAME).folder, data=[path], rerun=False)


def test_the_texts_of_a_suite_are_found_in_it_and_no_others():
    law, medical = (s for s in load_suites(["bundled"]) if s.domain in ("law", "medical"))
    index = SuiteTexts([law])
    assert all(index.like(text) for triplet in law.triplets for text in triplet.texts)
    assert not any(index.like(text) for triplet in medical.triplets for text in triplet.texts)


# Regular expressions.

NAMES = [f"encoder.layer.{i}.attention.self.query" for i in range(12)]


@pytest.mark.parametrize(
    "pattern",
    [
        r".*layer\.[0-2]\..*query",
        r"(.*\.)?pooler\..*",
        r".*\.(q_proj|k_proj|v_proj|o_proj)$",
        r"encoder\.layer\.(?:\d+)\.attention\.self\.(query|key|value)",
        r"[]*+(]+\(x\)*",
        "all-linear",
        # the slowest that are let through
        ".*.*.*.*X",
        ".*.*.*(?:e|.)(?:n|.)(?:c|.)(?:o|.)(?:d|.)(?:e|.)X",
    ],
)
def test_patterns_for_names_of_layers_are_quick(pattern):
    import re

    check_patterns([pattern])
    started = time.monotonic()
    for name in NAMES:
        re.fullmatch(pattern, name)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|aa)+$",
        "((ab|cd)x)*",
        "(?P<name>a*)*",
        "(?=(a*))*b",
        "(.*){20}",
        "(a?){50}",
        "(.|.)" * 40,
        ".?" * 40,
        ".*" * 30,
        "(?x)(.* # )\n)*",
        "(?i)a",
        "(?#)a",
        "(",
        "a{99999999999}",
        "x" * 600,
    ],
)
def test_patterns_that_could_take_for_ever_are_refused(pattern):
    with pytest.raises(ValueError, match="'"):
        check_patterns([pattern])


def test_many_patterns_are_counted_together():
    check_patterns([f"layer.{i}.query" for i in range(500)])
    with pytest.raises(ValueError, match="too many"):
        check_patterns([f".*.*.*.*{i}" for i in range(2)])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bias", 5),
        ("bias", "some"),
        ("exclude_modules", 5),
        ("target_modules", [["query"]]),
        ("target_modules", {"query": 1}),
        ("layers_to_transform", ["1"]),
        ("modules_to_save", [1]),
        ("use_rslora", "yes"),
        ("rank_pattern", [4]),
        ("lora_alpha", 10**400),
        ("lora_alpha", float("nan")),
        ("r", True),
    ],
)
def test_settings_of_a_wrong_type_are_refused_by_name(key, value):
    """peft would stumble over them with errors of its own, deep inside."""
    with pytest.raises(AdapterFormatError, match=key if key != "r" else "rank"):
        applied_settings("mine", {"peft_type": "LORA", "r": 4, key: value})


def test_a_slow_pattern_does_not_reach_the_embedder(tmp_path):
    folder = Path(shutil.copytree(resolve_adapter(NAME).folder, tmp_path / "slow"))
    config = json.loads((folder / layout.CONFIG).read_text())
    config |= {"layers_to_transform": [0], "layers_pattern": "(.|.)*(.|.)*X"}
    (folder / layout.CONFIG).write_text(json.dumps(config))
    with pytest.raises(AdapterFormatError, match="for ever"):
        Embedder(adapter=str(folder))


def test_an_adapter_that_only_peft_can_merge_is_checked_too(make_adapter):
    folder = make_adapter(use_dora=True)
    found = statuses(check_adapter(folder, rerun=False))
    assert found["fit"][0] == "pass"
    assert found["vectors"][0] == "skip" or found["vectors"][0] == "pass"
    tensors = load_file(folder / layout.WEIGHTS)
    save_file(
        tensors | {"base_model.model.x.lora_A.weight": torch.ones(8, 4)}, folder / layout.WEIGHTS
    )
    assert statuses(check_adapter(folder, rerun=False))["fit"][0] == "fail"
