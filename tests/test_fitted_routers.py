"""Rewritten router files, in whichever line of semantic-router is installed.

What is chosen on held-out queries holds only if the real router scores as it was supposed to.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import semantic_router
from semantic_router import Route

from semantic_router_lora import LoRAHuggingFaceEncoder, load_router, register, unregister
from semantic_router_lora.fitting.router_file import RouterFile, write_router
from semantic_router_lora.fitting.routes import RouteSet
from semantic_router_lora.fitting.scores import Neighbours, Scoring
from semantic_router_lora.fitting.thresholds import Calibration, Thresholds

LINE_1 = hasattr(semantic_router, "IndexedRouter")
LINE_0_0 = hasattr(semantic_router, "RouteLayer")
ROUTES = {
    "loan": ["renew my loan", "can I keep the book longer?", "extend the due date", "late again"],
    "card": ["I lost my library card", "a new card please", "card for my child", "card expired"],
    "room": ["book a study room", "is the quiet room free?", "cancel my room", "room for six"],
}
QUERIES = [
    "keep this novel for two more weeks",
    "my card is gone",
    "where do I get a card for my son?",
    "we need a room on Friday",
    "is a room free now?",
    "I return it late",
    "bread with caraway seeds",
    "is it going to snow?",
    "a card game for six",
]


def save(folder: Path) -> Path:
    """A router with the plain base, as the installed line writes it."""
    routes = [Route(name=name, utterances=texts) for name, texts in ROUTES.items()]
    encoder = LoRAHuggingFaceEncoder()
    if LINE_1:
        router = semantic_router.IndexedRouter(encoder=encoder, routes=routes)
    elif LINE_0_0:
        router = semantic_router.RouteLayer(encoder=encoder, routes=routes)
    else:
        router = semantic_router.SemanticRouter(encoder=encoder, routes=routes, auto_sync="local")
    path = folder / "router.json"
    router.to_json(str(path))
    return path


@pytest.fixture
def registered():
    register()
    yield
    unregister()


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize("scoring", [(3, "max"), (5, "sum"), (5, "mean"), (10, "sum")])
def test_the_router_finds_what_was_foreseen(adapter_folder, tmp_path, scoring, calibrated):
    file = RouterFile.read(save(tmp_path))
    if file.says_scoring:
        chosen = Scoring(*scoring)
    elif scoring != (3, "max") or calibrated:
        pytest.skip("files of this line hold neither scoring nor calibration")
    else:
        chosen = file.scoring
    found = RouteSet.of(file.routes)
    encoder = LoRAHuggingFaceEncoder(adapter=str(adapter_folder))
    neighbours = Neighbours.of(
        encoder.embedder.encode(QUERIES), encoder.embedder.encode(found.texts), found.labels
    )
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
    write_router(file.fitted(reference, chosen, thresholds, found.names), path)
    router = load_router(path)
    expected = [
        found.names[route] if score >= threshold else None
        for route, score in zip(routes, scores, strict=True)
    ]
    assert [router(query).name for query in QUERIES] == expected
    assert len(set(expected) - {None}) > 1 and expected.count(None) == 4
