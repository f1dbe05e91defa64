"""Caches, and replays of queries through them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from semantic_router_lora.benchmark.cache import IndexCache
from semantic_router_lora.benchmark.replay import budget_table, replay, replay_table
from semantic_router_lora.benchmark.replay_run import read_replays, replays_to_json
from semantic_router_lora.data.streams import Query, read_stream, triplet_stream
from semantic_router_lora.data.triplets import Triplet
from semantic_router_lora.errors import DataError, InputError


def unit(rng: np.random.Generator, rows: int, dimensions: int) -> np.ndarray:
    vectors = rng.normal(size=(rows, dimensions)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class Words:
    """An embedder for tests of the cache alone: each text has the vector of its last word."""

    reference = "words"
    fingerprint = "0"
    device = "cpu"

    def __init__(self, dimensions: int = 16) -> None:
        self.dim = dimensions

    def encode(self, texts: list[str]) -> np.ndarray:
        return np.concatenate(
            [unit(np.random.default_rng(abs(hash(t.split()[-1]))), 1, self.dim) for t in texts]
        )


@pytest.mark.parametrize("kind", ["local", "qdrant"])
def test_the_cache_finds_what_comparing_all_finds(kind):
    if kind == "qdrant":
        pytest.importorskip("qdrant_client")
    rng = np.random.default_rng(0)
    vectors = unit(rng, 700, 16)
    cache = IndexCache(kind, 16, 4096)
    assert cache.lookup(vectors[0]) is None
    for number, vector in enumerate(vectors):
        cache.store(vector, f"text {number}", f"answer {number}")
    assert len(cache) == 700
    for query in unit(rng, 20, 16):
        cosine, answer = cache.lookup(query)
        best = int((vectors @ query).argmax())
        assert answer == f"answer {best}"
        assert cosine == pytest.approx(float(vectors[best] @ query), abs=1e-4)


def test_a_full_cache_drops_its_oldest_entries():
    vectors = unit(np.random.default_rng(0), 5000, 16)
    cache = IndexCache("local", 16, 2048)
    for number, vector in enumerate(vectors):
        cache.store(vector, str(number), str(number))
        assert len(cache) <= 2048 + 256
    assert cache.lookup(vectors[4999])[1] == "4999"
    assert cache.lookup(vectors[0])[0] < 0.999


def test_replay_counts_by_hand():
    stream = [Query("one apple", "a"), Query("an apple", "a"), Query("red apple", "b")]
    stream += [Query("a pear", "c"), Query("a pear", "c")]
    result = replay(stream, Words(), thresholds=[0.9, -1.0])
    loose, strict = result.outcomes
    assert (result.lookups, result.repeated) == (5, 2)
    assert (strict.threshold, strict.hits, strict.false_hits) == (0.9, 2, 1)
    # at -1 everything after the first query is served the first answer
    assert (loose.hits, loose.false_hits) == (1, 3)
    assert result.at_budget(0.2).threshold == 0.9
    assert result.at_budget(0.1) is None
    assert replay_table([result]).rows[1][2:] == ("40.0%", "20.0%", "33.3%")
    assert budget_table([result]).rows[0][1:] == ("40.0%", "none", "none", "none")


def test_replay_memory_does_not_grow_with_the_stream():
    def peak(lookups: int) -> int:
        stream = (Query(f"w{number}", str(number)) for number in range(lookups))
        tracemalloc.start()
        replay(stream, Words(8), thresholds=[0.999], capacity=1024)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    assert peak(12_000) < 1.5 * peak(4_000) + 1_000_000  # a set of names is all that grows


def test_triplets_as_a_stream():
    triplets = [Triplet("a", "b", "c"), Triplet("d", "e", "f")]
    stream = triplet_stream(triplets, seed=1)
    assert sorted(query.text for query in stream) == list("abcdef")
    answers = {query.text: query.answer for query in stream}
    assert answers["a"] == answers["b"] != answers["c"]
    assert stream == triplet_stream(triplets, seed=1) != triplet_stream(triplets, seed=2)


def test_streams_and_replays_in_files(tmp_path):
    path = tmp_path / "stream.jsonl"
    path.write_text('{"text": "x", "intent": "i"}\n\n{"text": "y", "answer": 7}\n')
    assert list(read_stream(path)) == [
        Query("x", f"{path}/i"),
        Query("y", f"{path}/7"),
    ]
    for line, message in (
        ('{"text": " "}', "field 'text'"),
        ('{"text": "x"}', "names the answer"),
        ("[]", "expected an object"),
        ("{", "Expecting"),
    ):
        path.write_text('{"text": "x", "intent": "i"}\n' + line + "\n")
        with pytest.raises(DataError, match=f"stream.jsonl:2: .*{message}"):
            list(read_stream(path))
    with pytest.raises(DataError, match="no such file"):
        list(read_stream(tmp_path / "none"))
    result = replay([Query("an apple", "a")], Words(), thresholds=[0.5])
    (tmp_path / "replay.json").write_text(replays_to_json([result], "command", 1))
    assert read_replays(tmp_path / "replay.json") == [result]


def test_bad_replays():
    with pytest.raises(DataError, match="no queries"):
        replay([], Words())
    with pytest.raises(InputError, match="thresholds"):
        replay([Query("x", "y")], Words(), thresholds=[2.0])
    with pytest.raises(InputError, match="index is"):
        IndexCache("faiss", 4)
    with pytest.raises(InputError, match="capacity"):
        IndexCache("local", 4, 10)
