"""Rewritten router files, in whichever line of semantic-router is installed.

What is chosen on held-out queries holds only if the real router scores as it was supposed to.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import semantic_router
from library_router import LINE_0_0, LINE_1, QUERIES, save
from semantic_router import Route

from semantic_router_lora import LoRAHuggingFaceEncoder, load_router, use_centroids
from semantic_router_lora.errors import InputError
from semantic_router_lora.fitting.rewriting import rewritten, write_router
from semantic_router_lora.fitting.router_file import RouterFile
from semantic_router_lora.fitting.routes import RouteSet
from semantic_router_lora.fitting.scores import Scoring, neighbours_by_weight
from semantic_router_lora.fitting.thresholds import Calibration, Thresholds


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize(
    "scoring", [(3, "max"), (5, "sum"), (5, "mean"), (10, "sum"), (5, "max", 0.7)]
)
def test_the_router_finds_what_was_foreseen(adapter_folder, tmp_path, scoring, calibrated):
    file = RouterFile.read(save(tmp_path))
    if file.says_scoring:
        chosen = Scoring(*scoring)
    elif calibrated or scoring not in [(3, "max"), (5, "max", 0.7)]:
        pytest.skip("files of this line hold neither scoring nor calibration")
    else:
        chosen = replace(file.scoring, centroid_weight=Scoring(*scoring).centroid_weight)
    found = RouteSet.of(file.routes)
    encoder = LoRAHuggingFaceEncoder(adapter=str(adapter_folder))
    queries, utterances = map(encoder.embedder.encode, (QUERIES, found.texts))
    weight = chosen.centroid_weight
    neighbours = neighbours_by_weight(queries, utterances, found.labels, [weight])[weight]
    routes, scores = chosen.choose(neighbours)
    ordered = np.sort(scores)
    threshold = float(ordered[3] + ordered[4]) / 2  # refuses four of nine
    calibration = Calibration(3.0, -1.5)
    probability = float(calibration(np.array([threshold]))[0])
    thresholds = Thresholds(
        threshold, {}, calibration if calibrated else None, probability if calibrated else None
    )
    reference = encoder.embedder.reference
    path = tmp_path / "fitted.json"
    write_router(rewritten(file, reference, chosen, thresholds, found.names), path)
    router = load_router(path)
    expected = [
        found.names[route] if score >= threshold else None
        for route, score in zip(routes, scores, strict=True)
    ]
    assert [router(query).name for query in QUERIES] == expected
    assert len(set(expected) - {None}) > 1 and expected.count(None) == 4
    router.to_json(str(tmp_path / "again.json"))
    again = load_router(tmp_path / "again.json")
    assert [again(query).name for query in QUERIES] == expected
    assert RouterFile.read(tmp_path / "again.json").scoring.centroid_weight == weight


@pytest.mark.usefixtures("registered")
@pytest.mark.skipif(LINE_1 or LINE_0_0, reason="SemanticRouter.sync")
def test_a_later_sync_leaves_what_was_drawn(tmp_path):
    router = load_router(save(tmp_path))
    plain = np.array(router.index.index)
    use_centroids(router, 0.7)
    drawn = np.array(router.index.index)
    assert np.abs(drawn - plain).max() > 1e-3
    router.sync("local")
    assert np.array_equal(router.index.index, drawn)
    router.add(Route(name="cafe", utterances=["a cup of cocoa", "a bad coffee", "soda"]))
    router.sync("remote")
    use_centroids(router)
    assert {route.metadata["centroid_weight"] for route in router.routes} == {0.7}
    assert len(router.index.index) == len(drawn) + 3
    empty = semantic_router.SemanticRouter(encoder=router.encoder, routes=router.routes)
    with pytest.raises(InputError, match="empty"):
        use_centroids(empty, 0.7)
