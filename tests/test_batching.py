"""Texts are cut into batches that keep a budget and end together."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from semantic_router_lora import Embedder, batching
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.batching import batches_of, cut
from semantic_router_lora.engines.workers import Workers

LENGTHS = sorted(np.random.default_rng(0).integers(5, 40, 500).tolist(), reverse=True)


def test_batches_keep_the_token_budget():
    lengths = [3, 200, 5, 90, 4, 256, 7]
    batches = list(batches_of(lengths, 300))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    for rows in batches:
        assert len(rows) * max(lengths[row] for row in rows) <= 300


@pytest.mark.parametrize("parts", [1, 2, 7, 12])
@pytest.mark.parametrize("padded", [True, False])
def test_parts_hold_about_as_many_tokens(parts, padded):
    total = sum(LENGTHS)
    sizes = [sum(LENGTHS[batch]) for batch in cut(LENGTHS, total * 2, parts, padded=padded)]
    assert len(sizes) == parts
    assert sum(sizes) == total
    assert max(sizes) - min(sizes) <= 2 * max(LENGTHS)


def test_what_exceeds_a_part_keeps_to_the_most_of_a_batch():
    lengths = [300, 1, 1, 90, 90, 90]
    batches = list(cut(lengths, 100, 2, padded=False))
    assert list(itertools.chain.from_iterable(lengths[batch] for batch in batches)) == lengths
    assert [lengths[batch] for batch in batches] == [[300], [1, 1, 90], [90], [90]]


@pytest.mark.parametrize(
    ("threads", "tokens", "parts"),
    [(2, 9 * 1024, 10), (2, 10 * 1024, 10), (1, 2500, 3), (8, 512, 8), (8, 100, 2), (4, 0, 1)],
)
def test_each_thread_gets_as_many_batches(threads, tokens, parts):
    assert Workers(threads).parts(tokens, 1024) == parts


def test_more_texts_than_one_window(monkeypatch):
    embedder = Embedder(DEFAULT_BASE)
    texts = ["", "symptoms of diabetes", "git " * 40, "a lease", "two", "three and four", "five"]
    whole = embedder.encode(texts)
    monkeypatch.setattr(batching, "WINDOW", 3)
    np.testing.assert_allclose(embedder.encode(texts), whole, atol=1e-6)
