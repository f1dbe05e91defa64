"""Repeated texts are embedded once, and never get the vector of another embedder."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from forking import holds_in_a_fork

from semantic_router_lora.vector_cache import VectorCache


class Counting:
    def __init__(self, offset: float = 0.0) -> None:
        self.seen: list[str] = []
        self.offset = offset

    def __call__(self, texts):
        self.seen += texts
        return np.array([[len(text) + self.offset, ord(text[0])] for text in texts], np.float32)


def test_only_new_texts_are_embedded_and_the_oldest_make_room():
    cache, model = VectorCache(3), Counting()
    first = cache.encode("f", ["a", "bb", "a"], model)
    assert first.tolist() == [[1, 97], [2, 98], [1, 97]]
    assert model.seen == ["a", "bb"]
    first[:] = 0  # the caller's own copy
    assert cache.encode("f", ["bb", "ccc"], model).tolist() == [[2, 98], [3, 99]]
    assert model.seen == ["a", "bb", "ccc"]
    cache.encode("f", ["a", "dddd"], model)  # bb was used before a
    assert len(cache) == 3
    cache.encode("f", ["ccc", "a", "dddd"], model)
    assert model.seen == ["a", "bb", "ccc", "dddd"]
    cache.encode("f", ["bb"], model)
    assert model.seen[-1] == "bb"


def test_more_texts_than_it_keeps_in_one_call():
    cache, model = VectorCache(2), Counting()
    texts = [f"{n}" * (n + 1) for n in range(9)]
    assert cache.encode("f", texts, model)[:, 0].tolist() == list(range(1, 10))
    assert len(cache) == 2


def test_embedders_that_share_it_do_not_mix():
    cache = VectorCache(10)
    assert cache.encode("f", ["a"], Counting())[0, 0] == 1
    assert cache.encode("g", ["a"], Counting(0.5))[0, 0] == 1.5
    assert cache.encode("f", ["a"], Counting(9))[0, 0] == 1


def test_many_threads():
    cache, wrong = VectorCache(50), []

    def work(seed):
        generator = np.random.default_rng(seed)
        model = Counting()
        for _ in range(300):
            texts = [chr(97 + n % 26) * int(n) for n in generator.integers(1, 80, 5)]
            found = cache.encode("f", texts, model)
            wrong.extend(set(found[:, 0]) ^ {len(text) for text in texts})

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(cache) <= 50


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_does_not_wait_for_a_thread_of_its_parent():
    cache = VectorCache(2)
    with cache._lock:  # as another thread may at the moment of the fork
        assert holds_in_a_fork(lambda: cache.encode("f", ["a"], Counting())[0, 0] == 1, 10)
