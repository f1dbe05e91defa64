"""What whole fits on a tiny base keep, write and refuse."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from fitting_runs import ROUTES, make_small, router_of

from semantic_router_lora import Embedder, fit_adapter, load_router
from semantic_router_lora.centroids import towards_centroids
from semantic_router_lora.errors import InputError
from semantic_router_lora.fitting import outcome
from semantic_router_lora.fitting.held_out import Rise, rise
from semantic_router_lora.fitting.router_file import RouterFile
from semantic_router_lora.fitting.routes import RouteSet
from semantic_router_lora.fitting.scores import Neighbours, Scoring

pytest.importorskip("sentence_transformers")
pytestmark = pytest.mark.slow

HOLDS = Rise.__dict__["holds"]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    make_small(monkeypatch)


def test_a_fit_that_does_not_help_writes_no_adapter(tiny_base, tmp_path, monkeypatch):
    monkeypatch.setattr(Rise, "holds", HOLDS)
    texts = [text for texts in ROUTES.values() for text in texts]
    scattered = {f"route {n}": texts[n::3] for n in range(3)}  # labels that say nothing
    path = tmp_path / "router.json"
    routes = [{"name": name, "utterances": found} for name, found in scattered.items()]
    path.write_text(json.dumps(router_of("0", tiny_base) | {"routes": routes}))
    report = fit_adapter(path, tmp_path / "out", folds=2)
    assert not report.kept and report.adapter is report.router is None
    assert report.verdict().startswith("Not kept")
    written = {file.name for file in (tmp_path / "out").iterdir()}
    assert written <= {"report.json", "report.md", "confusion.png"}
    assert "Not kept" in (tmp_path / "out" / "report.md").read_text()


def test_where_the_adapter_does_not_help_another_scoring_may(tiny_base, tmp_path, monkeypatch):
    monkeypatch.setattr(Rise, "holds", HOLDS)
    found = iter([-0.1, 0.1, -0.1])  # of both, of the scoring, of the adapter
    monkeypatch.setattr(outcome, "rise", lambda *of: replace(rise(*of), low=next(found)))
    best = Scoring(5, "max", 0.7)
    monkeypatch.setattr(outcome, "best_scoring", lambda *of: best)
    path = tmp_path / "router.yaml"
    path.write_text(yaml.safe_dump(router_of("1", tiny_base)))
    report = fit_adapter(path, tmp_path / "out", folds=2)
    assert not report.kept and report.adapter is None
    assert "scored anew: max of 5, centroid weight 0.7" in report.verdict()
    assert report.router == str(tmp_path / "out" / "router.yaml")
    content = yaml.safe_load(Path(report.router).read_text())
    assert content["encoder"] == {"type": "huggingface", "name": str(tiny_base)}
    assert RouterFile.read(Path(report.router)).scoring == best
    routes = RouteSet.of(ROUTES)
    queries = ["urgent news about the garden", "never tell me of a song"]
    embedder = Embedder(str(tiny_base))
    utterances = towards_centroids(embedder.encode(list(routes.texts)), routes.labels, 0.7)
    neighbours = Neighbours.of(embedder.encode(queries), utterances, routes.labels)
    chosen = [routes.names[number] for number in best.choose(neighbours)[0]]
    router = load_router(report.router)
    assert [router(query, threshold=-1.0).name for query in queries] == chosen


def test_thresholds_of_one_encoder_are_not_written_for_another(tiny_base, tmp_path, monkeypatch):
    found = iter([-0.1, 0.1, -0.1])
    monkeypatch.setattr(Rise, "holds", HOLDS)
    monkeypatch.setattr(outcome, "rise", lambda *of: replace(rise(*of), low=next(found)))
    path = tmp_path / "router.yaml"
    path.write_text(yaml.safe_dump(router_of("1", tiny_base) | {"encoder": {"type": "openai"}}))
    report = fit_adapter(path, tmp_path / "out", folds=2, base=str(tiny_base))
    assert report.rescored.holds and not report.kept
    assert report.router is None
    assert not (tmp_path / "out" / "router.yaml").exists()


def test_a_base_that_semantic_router_pools_otherwise_is_refused(tiny_base, tmp_path):
    base = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    settings = base / "1_Pooling" / "config.json"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(
        json.dumps({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False})
    )
    path = tmp_path / "router.yaml"
    path.write_text(yaml.safe_dump(router_of("1", base)))
    with pytest.raises(InputError, match="mean of the tokens"):
        fit_adapter(path, tmp_path / "out")
    assert not (tmp_path / "out.unproven").exists()
