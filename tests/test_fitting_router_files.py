"""Router files that are fitted: what is read of them, and how they are written anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from semantic_router_lora.adapters.resolve import DEFAULT_ADAPTER
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.errors import DataError
from semantic_router_lora.fitting.rewriting import rewritten, write_router
from semantic_router_lora.fitting.router_file import RouterFile
from semantic_router_lora.fitting.scores import Scoring
from semantic_router_lora.fitting.thresholds import (
    Calibration,
    Thresholds,
)

LINES = {
    "1": {
        "router_type": "indexed",
        "encoder": {"type": "huggingface", "name": "base"},
        "top_k": 3,
        "aggregation": "max",
        "routes": [{"name": "a", "utterances": ["x", "y"], "confidence_threshold": 0.4}],
    },
    "0": {
        "encoder_type": "huggingface",
        "encoder_name": "base",
        "routes": [{"name": "a", "utterances": ["x", "y"]}, {"name": "b", "utterances": []}],
    },
}


def router_file(folder: Path, content: object, name: str = "router.json") -> Path:
    write_router(content, folder / name)
    return folder / name


@pytest.mark.parametrize("name", ["router.json", "router.yaml"])
def test_router_files_are_rewritten_with_thresholds(tmp_path, name):
    file = RouterFile.read(router_file(tmp_path, LINES["1"], name))
    assert (file.encoder, file.says_scoring) == ("base", True)
    assert file.scoring == Scoring(3, "max")
    calibrated = Thresholds(0.6, {0: 0.5}, Calibration(2.0, -1.0), 0.7)
    new = rewritten(file, "base+lora:there", Scoring(5, "sum"), calibrated, ("a",))
    assert new["encoder"] == {"type": "lora_huggingface", "name": "base+lora:there"}
    assert (new["top_k"], new["aggregation"], new["confidence_threshold"]) == (5, "sum", 0.7)
    assert new["calibrator"] == {"method": "platt", "params": {"a": [2.0], "b": [-1.0]}}
    assert new["routes"] == [{"name": "a", "utterances": ["x", "y"]}]
    raw = rewritten(file, "base+lora:there", Scoring(), Thresholds(0.6, {}, None, None), ("a",))
    assert (raw["calibrator"], raw["confidence_threshold"]) == (None, 0.6)
    old = RouterFile.read(router_file(tmp_path, LINES["0"], f"old-{name}"))
    new = rewritten(old, "base+lora:there", Scoring(), calibrated, ("a",))
    assert [route["score_threshold"] for route in new["routes"]] == [0.5, 0.6]


@pytest.mark.parametrize("installed", [("0.0.72", "sum", True), ("0.3.3", "mean", False)])
def test_routers_before_1_score_as_the_installed_line(tmp_path, monkeypatch, installed):
    monkeypatch.setattr("semantic_router_lora.fitting.router_file.version", lambda _: installed[0])
    scoring = RouterFile.read(router_file(tmp_path, LINES["0"])).scoring
    assert (scoring.aggregation, scoring.best_passes) == installed[1:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"router_type": "decision"}, "type 'decision'"),
        ({"sparse_encoder": {"type": "bm25"}}, "sparse"),
        ({"index": {"type": "pinecone"}}, "keeps the vectors"),
        ({"index": {"type": "qdrant", "location": "http://there"}}, "keeps the vectors"),
        ({"index": {"type": "qdrant", "metric": "euclidean"}}, "euclidean"),
        ({"top_k": 50}, "top_k 50"),
        ({"aggregation": "median"}, "median"),
        ({"routes": []}, "remote index"),
        ({"routes": [{"name": "a", "utterances": ["x"], "metadata": "b"}]}, "are no mapping"),
    ],
)
def test_routers_that_cannot_be_fitted(tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        RouterFile.read(router_file(tmp_path, LINES["1"] | change))


@pytest.mark.parametrize(
    ("encoder", "name"),
    [
        ({"type": "huggingface"}, None),
        ({"type": "huggingface", "name": "base"}, "base"),
        ({"type": "lora_huggingface"}, f"{DEFAULT_BASE}+lora:{DEFAULT_ADAPTER}"),
        ({"type": "lora_huggingface", "name": "base+lora:there"}, "base+lora:there"),
    ],
)
def test_the_encoder_is_the_one_that_loading_builds(tmp_path, encoder, name):
    file = RouterFile.read(router_file(tmp_path, LINES["1"] | {"encoder": encoder}))
    assert (file.encoder, file.other_encoder) == (name, None)
    assert file.stock == (encoder["type"] == "huggingface")


@pytest.mark.parametrize("kind", ["chain", "merge"])
def test_routers_of_routers_are_refused(tmp_path, kind):
    with pytest.raises(DataError, match="one by one"):
        RouterFile.read(router_file(tmp_path, {"router_type": kind, "routers": [LINES["1"]]}))
