"""The encoder inside the routers of whichever line of semantic-router is installed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import semantic_router
from semantic_router import Route
from semantic_router.encoders import HuggingFaceEncoder

import semantic_router_lora
from semantic_router_lora import LoRAHuggingFaceEncoder, load_router, register, unregister
from semantic_router_lora.errors import DataError, InputError, RegistrationError

LINE_0_0 = hasattr(semantic_router, "RouteLayer")
LINE_1 = hasattr(semantic_router, "IndexedRouter")
LINE_0_3 = not LINE_0_0 and not LINE_1

ROUTES = {
    "refund": ["I want my money back", "how do I return this item?", "refund my order please"],
    "weather": ["will it rain tomorrow?", "what is the temperature outside", "is it sunny today"],
}
QUERY = {"refund": "can I get a refund for this?", "weather": "does it look like rain today"}
OFF_TOPIC = "derive the quadratic formula"


def routes(**fields: object) -> list[Route]:
    return [
        Route(name=name, utterances=utterances, **fields) for name, utterances in ROUTES.items()
    ]


@pytest.fixture(scope="module")
def encoder(adapter_folder: Path) -> LoRAHuggingFaceEncoder:
    return LoRAHuggingFaceEncoder(adapter=str(adapter_folder))


def build(encoder: LoRAHuggingFaceEncoder):
    if LINE_0_0:
        return semantic_router.RouteLayer(encoder=encoder, routes=routes(), aggregation="max")
    if LINE_1:
        return semantic_router.IndexedRouter(
            encoder=encoder, routes=routes(), aggregation="max", confidence_threshold=0.5
        )
    return semantic_router.SemanticRouter(
        encoder=encoder, routes=routes(), aggregation="max", auto_sync="local"
    )


def stored_vectors(router) -> dict[str, np.ndarray]:
    index = router.index
    if LINE_1:
        keys = [record.utterance for record in index.get_utterances()]
    else:
        keys = [str(utterance) for utterance in index.utterances]
    return dict(zip(keys, np.asarray(index.index), strict=True))


def test_routes_sync_and_async(encoder):
    router = build(encoder)
    for name, query in QUERY.items():
        assert router(query).name == name
        assert asyncio.run(router.acall(query)).name == name


def test_threshold_by_the_lines_own_mechanism(encoder, adapter_folder):
    assert build(encoder)(OFF_TOPIC).name is None
    if LINE_1:
        strict = semantic_router.IndexedRouter(
            encoder=encoder, routes=routes(confidence_threshold=0.999), aggregation="max"
        )
    else:
        strict = build(LoRAHuggingFaceEncoder(adapter=str(adapter_folder), score_threshold=0.999))
    assert strict(QUERY["refund"]).name is None
    assert strict(ROUTES["refund"][0]).name == "refund"


@pytest.mark.skipif(not LINE_1, reason="1.x has no encoder threshold")
def test_encoder_threshold_is_refused_where_it_would_do_nothing():
    with pytest.raises(InputError, match="confidence_threshold"):
        LoRAHuggingFaceEncoder(score_threshold=0.7)


@pytest.mark.skipif(LINE_1, reason="0.x")
def test_default_threshold_is_the_stock_encoders(encoder):
    assert encoder.score_threshold == 0.5


@pytest.mark.skipif(not LINE_0_3, reason="HybridRouter with sparse encoders")
def test_hybrid_router(encoder):
    from semantic_router.encoders import TfidfEncoder

    sparse = TfidfEncoder()
    sparse.fit(routes())
    router = semantic_router.HybridRouter(
        encoder=encoder, sparse_encoder=sparse, routes=routes(), auto_sync="local", alpha=0.7
    )
    assert router(ROUTES["weather"][0]).name == "weather"


@pytest.mark.skipif(not LINE_1, reason="1.x")
@pytest.mark.parametrize("kind", ["Chain", "Merge"])
@pytest.mark.usefixtures("registered")
def test_inside_chain_and_merge_saved_and_loaded(encoder, kind, tmp_path):
    router = getattr(semantic_router, kind)(routers=[build(encoder), build(encoder)])
    router.to_yaml(tmp_path / "router.yaml")
    loaded = load_router(tmp_path / "router.yaml")
    for name, query in QUERY.items():
        assert router(query).name == loaded(query).name == name
        assert asyncio.run(loaded.acall(query)).name == name


@pytest.mark.skipif(not LINE_1, reason="1.x")
def test_with_a_sparse_encoder(encoder):
    from semantic_router.encoders import TfidfEncoder

    router = semantic_router.IndexedRouter(
        encoder=encoder, sparse_encoder=TfidfEncoder(), routes=routes(), confidence_threshold=0.1
    )
    assert router(ROUTES["weather"][0]).name == "weather"


@pytest.mark.parametrize("suffix", ["yaml", "json"])
@pytest.mark.usefixtures("registered")
def test_saved_router_loads_with_equal_vectors(encoder, suffix, tmp_path):
    router = build(encoder)
    path = tmp_path / f"router.{suffix}"
    getattr(router, f"to_{suffix}")(str(path))
    loaded = load_router(path)
    assert type(loaded) is type(router)
    assert type(loaded.encoder) is LoRAHuggingFaceEncoder
    assert loaded.encoder.embedder.fingerprint == encoder.embedder.fingerprint
    before, after = stored_vectors(router), stored_vectors(loaded)
    assert before.keys() == after.keys()
    for text, vector in before.items():
        np.testing.assert_allclose(after[text], vector, atol=1e-6)
    assert loaded(QUERY["refund"]).name == "refund"


@pytest.mark.usefixtures("registered")
def test_load_router_in_a_process_that_registered_nothing(encoder, tmp_path):
    path = tmp_path / "router.yaml"
    build(encoder).to_yaml(str(path))
    code = (
        "import sys, semantic_router_lora as s\n"
        f"router = s.load_router({str(path)!r})\n"
        f"assert router({QUERY['refund']!r}).name == 'refund'\n"
        "print(router.encoder.embedder.fingerprint)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == encoder.embedder.fingerprint


def test_registration_is_idempotent_and_undone():
    from semantic_router.encoders import AutoEncoder

    stock = AutoEncoder.__init__
    register()
    extended = AutoEncoder.__init__
    register()
    assert AutoEncoder.__init__ is extended is not stock
    unregister()
    unregister()
    assert AutoEncoder.__init__ is stock


def test_unregistered_nothing_is_patched_by_importing_or_encoding(encoder, tmp_path):
    from semantic_router.encoders import AutoEncoder

    encoder(["a text"])
    with pytest.raises(ValueError, match="lora_huggingface"):
        AutoEncoder(type="lora_huggingface", name=encoder.name)
    if LINE_1:
        with pytest.raises(ValueError, match="can't be saved"):
            build(encoder).to_yaml(tmp_path / "router.yaml")


@pytest.mark.usefixtures("registered")
def test_names_imported_before_registration_work_too(encoder):
    from semantic_router.encoders import AutoEncoder

    model = AutoEncoder(type="lora_huggingface", name=encoder.name).model
    assert model.embedder.fingerprint == encoder.embedder.fingerprint


@pytest.mark.usefixtures("registered")
def test_stock_encoder_is_untouched(base_folder):
    from semantic_router.encoders import AutoEncoder

    assert type(AutoEncoder(type="huggingface", name=str(base_folder)).model) is HuggingFaceEncoder
    with pytest.raises(ValueError):
        AutoEncoder(type="no such encoder", name="x")


def test_unknown_internals_are_reported_and_the_encoder_still_routes(encoder, monkeypatch):
    from semantic_router import encoders

    class Renamed:
        def __init__(self, kind: str) -> None: ...

    monkeypatch.setattr(encoders, "AutoEncoder", Renamed)
    with pytest.raises(RegistrationError, match="pass the encoder as an object"):
        register()
    assert build(encoder)(QUERY["refund"]).name == "refund"


@pytest.mark.skipif(not LINE_1, reason="1.x")
def test_unknown_class_map_is_reported(monkeypatch):
    from semantic_router import config

    monkeypatch.delattr(config, "_ENCODERS")
    with pytest.raises(RegistrationError, match="pass the encoder as an object"):
        register()


def test_load_router_bad_paths(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_router(tmp_path / "none.yaml")
    (tmp_path / "router.toml").write_text("")
    with pytest.raises(DataError, match=r"\.yaml"):
        load_router(tmp_path / "router.toml")


def test_public_names():
    assert semantic_router_lora.__all__ == [
        "Embedder",
        "LoRAHuggingFaceEncoder",
        "SemanticRouterLoraError",
        "fit_adapter",
        "load_router",
        "register",
        "unregister",
        "use_centroids",
    ]
    assert all(getattr(semantic_router_lora, name) for name in semantic_router_lora.__all__)
