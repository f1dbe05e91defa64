"""Many adapters over one base: the vectors of merged ones, without another copy of the weights."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from semantic_router_lora import Embedder
from semantic_router_lora.adapters.resolve import bundled_adapters
from semantic_router_lora.benchmark.suite import load_suites
from semantic_router_lora.errors import (
    AdapterFormatError,
    AdapterMismatchError,
    InputError,
    ModelReferenceError,
)

BASE = "sentence-transformers/all-MiniLM-L6-v2"
TEXTS = [t for s in load_suites(["bundled:dev"]) for r in s.triplets[:4] for t in r.texts] + [""]


@pytest.fixture(scope="module")
def merged():
    return {name: Embedder(adapter=name) for name in bundled_adapters()} | {None: Embedder(BASE)}


@pytest.fixture(scope="module")
def default(merged):
    return merged["multi-domain-cache-lora-L6"]


def test_vectors_and_fingerprints_are_those_of_merged_adapters(default, merged):
    fingerprints = set()
    for name, expected in merged.items():
        shared = default.with_adapter(name)
        np.testing.assert_allclose(shared.encode(TEXTS), expected.encode(TEXTS), atol=1e-5)
        assert shared.fingerprint == expected.fingerprint
        assert shared.reference == expected.reference
        # from one that shares weights itself, and back to what is in the weights
        again = shared.with_adapter("law-cache-lora-L6").with_adapter(name)
        np.testing.assert_allclose(again.encode(TEXTS), expected.encode(TEXTS), atol=1e-5)
        fingerprints.add(shared.fingerprint)
    assert len(fingerprints) == len(merged)
    back = default.with_adapter("law-cache-lora-L6").with_adapter(default.reference.split(":")[1])
    assert back.encode(TEXTS).tobytes() == default.encode(TEXTS).tobytes()


def test_rows_of_different_adapters_in_one_call(default, merged):
    names = [[*merged][n % len(merged)] for n in range(len(TEXTS))]
    names[7] = names[8] = "medical-cache-lora-L6"
    mixed = default.encode(TEXTS, adapters=names)
    for row, (name, text) in enumerate(zip(names, TEXTS, strict=True)):
        np.testing.assert_allclose(mixed[row], merged[name].encode([text])[0], atol=1e-5)
    assert default.encode([], adapters=[]).shape == (0, 384)
    with pytest.raises(InputError, match="got 2 texts and 1 adapters"):
        default.encode(["a", "b"], adapters=[None])


def test_an_adapter_takes_no_copy_of_the_weights(default):
    shared = default.with_adapter("law-cache-lora-L6")
    assert shared._loaded.engine.engine is default._loaded.engine
    size = sum(
        tensor.numel() * tensor.element_size()
        for layer in shared._loaded.engine.updates
        for update in layer
        for tensor in update
    )
    # of the new adapter and of the one that is taken out; query, key and value side by side
    assert size < 4 * 700_000


def test_what_cannot_share_says_so(default, tmp_path, make_adapter):
    with pytest.raises(ModelReferenceError):
        default.with_adapter("no-such-adapter")
    with pytest.raises(AdapterFormatError, match="cannot share a base, because it sets use_dora"):
        default.with_adapter(str(make_adapter(use_dora=True, target_modules=["query"])))
    with pytest.raises(AdapterMismatchError, match="fit this base"):
        default.with_adapter(str(wrong_shape(make_adapter, tmp_path)))
    slow = Embedder(BASE, engine="transformers")
    with pytest.raises(InputError, match="packed engine in float32 only"):
        slow.with_adapter("law-cache-lora-L6")


def wrong_shape(make_adapter, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = make_adapter(folder=tmp_path / "wrong", r=4, target_modules=["query"])
    path = folder / "adapter_model.safetensors"
    tensors = {key: tensor[:, :-1].contiguous() for key, tensor in load_file(path).items()}
    save_file(tensors, path)
    return folder


def test_threads_that_share_a_base(default, merged):
    wrong = []

    def work(name):
        shared = default.with_adapter(name)
        for text in TEXTS[:10]:
            expected = merged[name].encode([text])
            if np.abs(shared.encode([text]) - expected).max() > 1e-5:
                wrong.append((name, text))

    threads = [threading.Thread(target=work, args=(name,)) for name in merged]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_repeated_texts_are_kept_by_embedder():
    embedder = Embedder(adapter="law-cache-lora-L6", cache_size=100)
    other = embedder.with_adapter(None)
    first = embedder.encode(["a lease", "a will"])
    assert embedder.encode(["a will"]).tobytes() == first[1:].tobytes()
    assert other.encode(["a will"]).tobytes() != first[1:].tobytes()
    assert len(embedder._cache) == 3
    with pytest.raises(InputError, match="cache_size is -1"):
        Embedder(BASE, cache_size=-1)


def test_encoders_share_a_base():
    from semantic_router_lora import LoRAHuggingFaceEncoder

    first = LoRAHuggingFaceEncoder(adapter="law-cache-lora-L6")
    second = first.with_adapter("medical-cache-lora-L6")
    assert second.name == LoRAHuggingFaceEncoder(adapter="medical-cache-lora-L6").name
    assert second.embedder._loaded.engine.engine is first.embedder._loaded.engine
    assert second(["a lease"]) != first(["a lease"])
    alone = LoRAHuggingFaceEncoder(adapter="medical-cache-lora-L6")(["a lease"])
    np.testing.assert_allclose(second(["a lease"]), alone, atol=1e-5)
