"""Utterance vectors drawn towards the centroid of their route, in routers of the line 1.x."""

from __future__ import annotations

import json

import numpy as np
import pytest
import semantic_router
from library_router import QUERIES, ROUTES, save
from semantic_router import Chain, IndexedRouter, Route
from semantic_router.encoders import DenseEncoder, TfidfEncoder
from semantic_router.encoders.base import AsymmetricDenseMixin
from semantic_router.index import LocalIndex, QdrantIndex

from semantic_router_lora import load_router, unregister, use_centroids
from semantic_router_lora.centroids import towards_centroids
from semantic_router_lora.errors import DataError, InputError
from semantic_router_lora.fitting.router_file import RouterFile


class Letters(DenseEncoder):
    """Unit vectors from how often a text has each letter."""

    name: str = "letters"

    def __call__(self, docs: list[str]) -> list[list[float]]:
        counts = np.array([[text.count(letter) + 0.01 for letter in "aeioubcd"] for text in docs])
        return (counts / np.linalg.norm(counts, axis=1, keepdims=True)).tolist()

    async def acall(self, docs: list[str]) -> list[list[float]]:
        return self(docs)


def router(index=None) -> IndexedRouter:
    routes = [Route(name=name, utterances=texts) for name, texts in ROUTES.items()]
    return IndexedRouter(encoder=Letters(), routes=routes, index=index, aggregation="max")


def scores(found: IndexedRouter) -> list[float]:
    return [found(query).confidence for query in QUERIES]


def test_vectors_lie_between_the_utterance_and_the_mean_of_its_route():
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(5, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.array([2, 0, 2, 2, 1])
    found = towards_centroids(vectors, labels, 0.7)
    mean = (vectors[0] + vectors[2] + vectors[3]) / 3
    expected = 0.3 * vectors[2] + 0.7 * mean
    assert np.allclose(found[2], expected / np.linalg.norm(expected), atol=1e-6)
    assert np.allclose(found[[1, 4]], vectors[[1, 4]], atol=1e-6)  # alone in their routes
    assert np.allclose(towards_centroids(vectors, labels, 0.0), vectors, atol=1e-6)
    of_each = np.array([0.7, 0, 0, 0.7, 0], np.float32)
    some = towards_centroids(vectors, labels, of_each)
    assert np.allclose(some[[0, 3]], found[[0, 3]]) and np.allclose(some[2], vectors[2], atol=1e-6)
    none = towards_centroids(np.zeros((0, 8), np.float32), np.zeros(0, np.intp), 0.5)
    assert none.shape == (0, 8) and none.dtype == found.dtype == np.float32


def test_a_route_that_comes_later_is_drawn_too_and_doing_it_twice_changes_nothing():
    found = router()
    plain = scores(found)
    use_centroids(found)
    assert scores(found) == plain  # no route says a weight
    use_centroids(found, 0.5)
    drawn = scores(found)
    assert drawn != plain
    use_centroids(found, 0.5)
    assert scores(found) == pytest.approx(drawn)
    found.add([Route(name="cafe", utterances=["a cup of cocoa", "a bad coffee", "soda"])])
    use_centroids(found, 0.5)
    together = router()
    together.add([Route(name="cafe", utterances=["a cup of cocoa", "a bad coffee", "soda"])])
    use_centroids(together, 0.5)
    assert scores(found) == pytest.approx(scores(together))
    use_centroids(together, 0)
    found = router()
    found.add([Route(name="cafe", utterances=["a cup of cocoa", "a bad coffee", "soda"])])
    assert scores(together) == pytest.approx(scores(found))


@pytest.mark.usefixtures("registered")
def test_routers_of_semantic_routers_own_functions_heed_the_weight(tmp_path):
    path = save(tmp_path)
    content = json.loads(path.read_text())
    for route in content["routes"]:
        route["metadata"] = {"centroid_weight": 0.6}
    path.write_text(json.dumps(content))
    ours, theirs = load_router(path), semantic_router.load_router(path)
    assert np.array_equal(ours.index.index, theirs.index.index)
    unregister()
    routes = [Route(**route) for route in content["routes"]]
    plain = IndexedRouter(encoder=ours.encoder, routes=routes)
    assert np.abs(plain.index.index - ours.index.index).max() > 1e-3
    use_centroids(plain)
    assert np.allclose(plain.index.index, ours.index.index, atol=1e-6)


def test_routes_that_say_no_weight_get_that_of_the_others():
    found, together = router(), router()
    later = Route(name="cafe", utterances=["a cup of cocoa", "a bad coffee", "soda"])
    use_centroids(found, 0.5)
    found.add([later])
    plain = scores(found)
    use_centroids(found)
    together.add([later])
    use_centroids(together, 0.5)
    assert scores(found) == pytest.approx(scores(together)) != plain
    assert {route.metadata["centroid_weight"] for route in found.routes} == {0.5}
    # an utterance that comes again takes the metadata of its route with it
    again = Route(name="loan", utterances=[ROUTES["loan"][0], "a book for longer"])
    found.add([again])
    use_centroids(found)
    assert {route.metadata["centroid_weight"] for route in found.routes} == {0.5}


class Asymmetric(Letters, AsymmetricDenseMixin):
    """Embeds queries in another way than what is searched."""

    def encode_documents(self, docs: list[str]) -> list[list[float]]:
        return self([doc.upper().lower()[::-1] + " aaa" for doc in docs])

    def encode_queries(self, docs: list[str]) -> list[list[float]]:
        return self(docs)

    async def aencode_documents(self, docs: list[str]) -> list[list[float]]:
        return self.encode_documents(docs)

    async def aencode_queries(self, docs: list[str]) -> list[list[float]]:
        return self(docs)


def test_utterances_are_embedded_as_what_is_searched():
    routes = [Route(name=name, utterances=texts) for name, texts in ROUTES.items()]
    found = IndexedRouter(encoder=Asymmetric(), routes=routes)
    assert isinstance(found.index, LocalIndex)
    before = np.array(found.index.index)
    use_centroids(found, 0)
    assert np.allclose(found.index.index, before, atol=1e-6)


def test_vectors_in_qdrant_are_written_anew():
    found, local = router(QdrantIndex(location=":memory:", dimensions=8)), router()
    use_centroids(found, 0.7)
    use_centroids(local, 0.7)
    assert scores(found) == pytest.approx(scores(local), abs=1e-5)
    assert len(found.index) == sum(map(len, ROUTES.values()))


def test_routers_in_a_chain_and_empty_ones():
    inner = router()
    use_centroids(Chain([inner, IndexedRouter(encoder=Letters())]), 0.5)
    expected = router()
    use_centroids(expected, 0.5)
    assert scores(inner) == pytest.approx(scores(expected))


def test_sparse_routers_are_refused():
    routes = [Route(name=name, utterances=texts) for name, texts in ROUTES.items()]
    found = IndexedRouter(encoder=Letters(), sparse_encoder=TfidfEncoder(), routes=routes)
    with pytest.raises(InputError, match="sparse"):
        use_centroids(found, 0.5)


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("weight", [1, -0.1, float("nan"), "0.5", True])
def test_weights_that_cannot_be(tmp_path, weight):
    path = save(tmp_path)
    content = json.loads(path.read_text())
    content["routes"][0]["metadata"] = {"centroid_weight": weight}
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"centroid_weight of route 'loan'"):
        load_router(path)
    with pytest.raises(DataError, match=r"centroid_weight of route 'loan'"):
        RouterFile.read(path)


@pytest.mark.usefixtures("registered")
def test_routes_of_different_weights_load_and_are_not_fitted(tmp_path):
    path = save(tmp_path)
    content = json.loads(path.read_text())
    content["routes"][0]["metadata"] = {"centroid_weight": 0.5, "team": "desk"}
    content["routes"][1]["metadata"] = {"centroid_weight": 0}
    path.write_text(json.dumps(content))
    found = load_router(path)
    with pytest.raises(DataError, match="expected one for all"):
        RouterFile.read(path)
    plain = load_router(save(tmp_path))
    assert isinstance(found.index, LocalIndex)
    changed = np.abs(found.index.index - plain.index.index).max(axis=1) > 1e-3
    assert changed.tolist() == [name == "loan" for name in found.index.routes]
    assert next(r for r in found.routes if r.name == "loan").metadata["team"] == "desk"
