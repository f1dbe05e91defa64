"""Reports, comparisons, limits and the reference system's protocol."""

from __future__ import annotations

import json
import random
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.benchmark.compare import compare_table, limits_missed, parse_limit
from semantic_router_lora.benchmark.published import published_tables
from semantic_router_lora.benchmark.replay import replay
from semantic_router_lora.benchmark.replay_run import read_any, replays_to_json, run_replays
from semantic_router_lora.benchmark.report import margin_table
from semantic_router_lora.benchmark.run import run_benchmark
from semantic_router_lora.benchmark.suite import bundled_file, load_suites
from semantic_router_lora.data.streams import Query
from semantic_router_lora.embedder import Embedder
from semantic_router_lora.errors import DataError, InputError


@pytest.fixture(scope="module")
def results(adapter_folder: Path):
    return run_benchmark(
        load_suites([str(bundled_file("law", "test")), str(bundled_file("medical", "test"))]),
        base=DEFAULT_BASE,
        dev=load_suites([str(bundled_file("law", "dev"))]),
        adapters=[str(adapter_folder)],
        sample_size=60,
    )


@pytest.fixture(scope="module")
def replays(adapter_folder: Path):
    stream = [Query(f"question {n % 7} about taxes", str(n % 7)) for n in range(40)]
    embedder = Embedder(adapter=str(adapter_folder))
    return [replay(stream, embedder, encoder="adapter", thresholds=[0.8, 0.99])]


def test_pictures_and_page(results, replays):
    pytest.importorskip("matplotlib")
    from semantic_router_lora.benchmark.html import to_html
    from semantic_router_lora.benchmark.plots import pictures

    for theme in ("light", "dark"):
        drawn = pictures(results, replays, theme)
        assert set(drawn) == {"similarities", "precision", "traps", "replay"}
        for png in drawn.values():
            width, height = struct.unpack(">II", png[16:24])
            assert png.startswith(b"\x89PNG") and width > 400 and height > 200
    page = to_html(results, replays)
    assert page.count("data:image/png;base64,") == 8
    for outside in ("http://", "https://", "<script", "src='/", "@import"):
        assert outside not in page
    assert "prefers-color-scheme: dark" in page and "width=device-width" in page
    assert "Similarity margin" in page and "at a budget of false hits" in page


def test_one_kind_of_result_is_enough(results, replays):
    pytest.importorskip("matplotlib")
    from semantic_router_lora.benchmark.html import to_html

    assert to_html(results, []).count("<figure>") == 3
    assert to_html(None, replays).count("<figure>") == 1


def test_reading_both_kinds(results, replays, tmp_path):
    (tmp_path / "results.json").write_text(results.to_json())
    (tmp_path / "replay.json").write_text(replays_to_json(replays, "command", 1))
    files = [tmp_path / "replay.json", tmp_path / "results.json"]
    measured, replayed = read_any(files)
    assert measured is not None and measured.suites[0].domain == "law"
    assert replayed == replays
    with pytest.raises(DataError, match="second benchmark result"):
        read_any([*files, tmp_path / "results.json"])


def test_compare(results):
    table = compare_table(results, results)
    assert {row[-1] for row in table.rows} == {"equal"}
    law = results.suites[0]
    figures = {
        name: {
            metric: replace(f, value=f.value + 1, low=f.low + 1, high=f.high + 1)
            for metric, f in metrics.items()
        }
        for name, metrics in law.figures.items()
    }
    better = replace(results, suites=[replace(law, figures=figures)])
    rows = compare_table(results, better).rows
    assert {row[0] for row in rows} == {"law"}
    assert {row[5] for row in rows} == {"+1.000"}
    assert "apart" in {row[-1] for row in rows}
    for other in (
        replace(results, suites=[replace(law, sha256="0")]),
        replace(results, suites=[law], seed=7),  # another sample
    ):
        assert {row[-1] for row in compare_table(results, other).rows} == {"other triplets"}
    with pytest.raises(DataError, match="no domain in common"):
        compare_table(results, replace(results, suites=[replace(law, domain="tax")]))


def test_compare_of_two_adapters_with_other_names(results, adapter_folder):
    renamed = replace(
        results,
        embedders={n.replace(adapter_folder.name, "v2"): i for n, i in results.embedders.items()},
        suites=[
            replace(
                s, figures={n.replace(adapter_folder.name, "v2"): f for n, f in s.figures.items()}
            )
            for s in results.suites
        ],
    )
    encoders = {row[1] for row in compare_table(results, renamed).rows}
    assert encoders == {"baseline", f"{adapter_folder.name} / v2"}


def test_limits(results, adapter_folder):
    value = sum(s.figures[adapter_folder.name]["margin"].value for s in results.suites) / 2
    assert limits_missed(results, [parse_limit(f"margin={value - 1e-6}")]) == []
    missed = limits_missed(results, [parse_limit(f"margin={value + 1e-3}")])
    assert len(missed) == 1 and adapter_folder.name in missed[0]
    for wrong in ("margin", "margin=much", "nonsense=1", "false_hit_rate=0.1"):
        with pytest.raises(InputError, match="is no limit"):
            parse_limit(wrong)
    with pytest.raises(InputError, match="is no limit"):
        parse_limit("recall=0.1", with_dev=False)


def test_published_figures_are_labelled_as_theirs():
    note, tables = published_tables()
    assert "cannot be compared" in note
    assert all("Published" in table.title for table in tables)
    assert ("medical", "200", "0.4416", "0.6305", "0.5517") in tables[0].rows


@pytest.fixture
def reference_layout(tmp_path: Path) -> Path:
    """A folder as the reference's test set repository, with more than 2,000 triplets of law."""
    for domain, name, field, rows in (
        ("medical", "test_set.jsonl", "negative", 30),
        ("law", "test_triplets.jsonl", "hard_negative", 2100),
    ):
        (tmp_path / domain).mkdir()
        (tmp_path / domain / name).write_text(
            "".join(
                json.dumps({"anchor": f"a {n}", "positive": f"p {n}", field: f"n {n}"}) + "\n"
                for n in range(rows)
            )
        )
    return tmp_path


def test_the_reference_protocol(reference_layout):
    medical, law = load_suites([str(reference_layout)])
    assert (medical.domain, len(medical.triplets)) == ("medical", 30)
    assert (law.domain, len(law.triplets), law.sampled_from) == ("law", 2000, 2100)
    random.seed(42)
    drawn = random.sample(range(2100), 2000)
    assert [triplet.anchor for triplet in law.triplets] == [f"a {n}" for n in drawn]
    with pytest.raises(DataError, match="HF_HUB_OFFLINE"):
        load_suites(["hub:llm-semantic-router/cache-embedding-test-sets"])
    with pytest.raises(DataError, match="expected hub:owner/name"):
        load_suites(["hub:nonsense"])
    with pytest.raises(DataError, match="holds none of"):
        load_suites([str(reference_layout / "law")])


def test_results_do_not_say_where_folders_lie(tmp_path, adapter_folder, monkeypatch):
    monkeypatch.chdir(adapter_folder.parent)
    given = f"./{adapter_folder.name}"
    suites = [suite.sample(5, 0) for suite in load_suites(["bundled:dev"])]
    results = run_benchmark(suites, base=DEFAULT_BASE, adapters=[given])
    assert results.embedders[adapter_folder.name].reference == f"{DEFAULT_BASE}+lora:{given}"
    stream = tmp_path / "stream.jsonl"
    stream.write_text('{"text": "file my taxes", "answer": "t"}\n')
    replays = run_replays([stream], base=DEFAULT_BASE, adapters=[given])
    assert [one.reference for one in replays] == [DEFAULT_BASE, f"{DEFAULT_BASE}+lora:{given}"]
    for written in (results.to_json(), replays_to_json(replays, "", 42, [stream])):
        assert str(adapter_folder.parent) not in written


def test_the_reference_protocol_on_twelve_layers(reference_layout, twelve_layers, make_adapter):
    adapter = make_adapter(base=twelve_layers, lora_alpha=32)
    results = run_benchmark(
        load_suites([str(reference_layout)]),
        base=str(twelve_layers),
        adapters=[str(adapter)],
        sample_size=20,
    )
    assert [suite.triplets for suite in results.suites] == [20, 20]
    assert results.embedders[adapter.name].reference == f"{twelve_layers}+lora:{adapter}"
    table = margin_table(results)
    assert table.columns[-3:] == (
        "Published baseline",
        "Published domain-specific",
        "Published multi-domain",
    )
    assert table.rows[0][-3:] == ("0.4416", "0.6305", "0.5517")


def test_replay_of_a_users_triplets(adapter_folder, tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"anchor": "pay my bill", "positive": "settle my bill", "negative": "dogs"}\n')
    results = run_replays([path], base=DEFAULT_BASE, adapters=[], thresholds=[0.99])
    assert (results[0].lookups, results[0].repeated) == (3, 1)
    content = json.loads(replays_to_json(results, "command", 1, [path]))
    assert list(content["streams"]) == ["mine.jsonl"]


def test_results_of_another_release(tmp_path):
    (tmp_path / "old.json").write_text('{"format": 1}')
    with pytest.raises(DataError, match="format is 1, expected 2: run it again"):
        read_any([tmp_path / "old.json"])


def test_replay_of_the_bundled_triplets(adapter_folder, monkeypatch):
    from semantic_router_lora.benchmark import replay_run

    whole = load_suites
    monkeypatch.setattr(
        replay_run, "load_suites", lambda names: [s.sample(20, 0) for s in whole(names)]
    )
    baseline, adapted = run_replays(
        [], base=DEFAULT_BASE, adapters=[str(adapter_folder)], thresholds=[0.7, 0.9]
    )
    assert (baseline.encoder, adapted.encoder) == ("baseline", adapter_folder.name)
    assert baseline.lookups == adapted.lookups == 5 * 20 * 3
    assert baseline.repeated == 5 * 20
    loose, strict = baseline.outcomes
    assert loose.hits + loose.false_hits > strict.hits + strict.false_hits
