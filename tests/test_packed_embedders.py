"""Embedders on the packed engine: the same vectors on any threads, for any callers, in a fork."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from forking import holds_in_a_fork
from sample_texts import sentences

from semantic_router_lora import Embedder
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.engines.spreading import Spreading


@pytest.fixture(scope="module")
def pair(adapter_folder: Path) -> tuple[Embedder, Embedder]:
    """The same on both engines."""
    options = {"base": DEFAULT_BASE, "adapter": str(adapter_folder)}
    return Embedder(**options), Embedder(**options, engine="transformers")


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_embedders_agree(pair):
    packed, padded = pair
    assert (packed.engine, padded.engine) == ("packed", "transformers")
    assert packed.fingerprint == padded.fingerprint
    for texts in (
        [""],
        ["", "Ünïcode, 漢字 and 🙂", "git " * 400, "[PAD] [MASK]"],
        sentences(1000, 6),
        sentences(20, 200),
    ):
        np.testing.assert_allclose(packed.encode(texts), padded.encode(texts), atol=1e-5)


@pytest.mark.parametrize("threads", [1, 3, 5])
def test_threads_are_the_embedders_own(pair, two_threads, threads):
    texts = sentences(40, 30)
    expected = pair[0].encode(texts)
    embedder = Embedder.from_reference(pair[0].reference, threads=threads)
    long = "a long one " * 60  # alone, it is spread over all threads
    np.testing.assert_allclose(embedder.encode(texts), expected, atol=1e-6)
    np.testing.assert_allclose(embedder.encode([long]), pair[1].encode([long]), atol=1e-5)
    elsewhere: list[int] = []
    thread = threading.Thread(target=lambda: elsewhere.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert [torch.get_num_threads(), *elsewhere] == [2, 2]


def test_eight_callers_get_what_one_gets_bit_for_bit(pair):
    texts = sentences(24, 12)
    expected = [pair[0].encode([text]) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        for got, wanted in zip(
            pool.map(lambda i: pair[0].encode([texts[i % 24]]), range(96)),
            expected * 4,
            strict=True,
        ):
            np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("threads", [2, 3])
def test_a_short_text_alone_has_the_same_bits_on_all_threads(pair, monkeypatch, threads):
    embedder = Embedder.from_reference(pair[0].reference, threads=threads)
    beside = embedder.with_adapter("law-cache-lora-L6")  # an adapter beside the weights
    texts = sentences(24, 12)
    for one in (embedder, beside):
        monkeypatch.setattr(Spreading, "_choose", lambda *_: False)
        on_one = [one.encode([text]) for text in texts]
        monkeypatch.setattr(Spreading, "_choose", lambda *_: True)
        np.testing.assert_array_equal([one.encode([text]) for text in texts], on_one)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
def test_a_fork_embeds_what_its_parent_embeds(pair, monkeypatch):
    monkeypatch.setattr(Spreading, "_choose", lambda *_: True)
    embedder = Embedder.from_reference(pair[0].reference, threads=2)
    texts = ["a short one", "a long one " * 60]
    expected = [embedder.encode([text]) for text in texts]  # threads are running when it forks

    def same() -> bool:
        return all(
            np.allclose(embedder.encode([text]), vectors, atol=1e-6)
            for text, vectors in zip(texts, expected, strict=True)
        )

    assert holds_in_a_fork(same)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
def test_a_fork_does_not_wait_for_a_model_that_its_parent_loads():
    from semantic_router_lora.engines import transformers

    with transformers.LOADING:
        assert holds_in_a_fork(lambda: transformers.LOADING.acquire(timeout=5), 10)
