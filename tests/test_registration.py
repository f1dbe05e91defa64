"""What happens on the day that semantic-router finds encoders of others by itself."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pytest
import semantic_router
from semantic_router import Route, encoders

from semantic_router_lora import LoRAHuggingFaceEncoder, load_router, register, unregister
from semantic_router_lora.errors import DataError
from semantic_router_lora.registration import ENCODER_TYPE

GROUP = "semantic_router.encoders"
VALUE = "semantic_router_lora.encoder:LoRAHuggingFaceEncoder"
LINE_1 = hasattr(semantic_router, "load_router")
ROUTES = {"refund": ["I want my money back"], "weather": ["is it sunny today"]}


@pytest.fixture(scope="module")
def encoder(adapter_folder: Path) -> LoRAHuggingFaceEncoder:
    return LoRAHuggingFaceEncoder(adapter=str(adapter_folder))


@pytest.fixture
def found_upstream(monkeypatch: pytest.MonkeyPatch) -> None:
    """A semantic-router that looks up unknown types among the entry points, and saves them."""
    stock = encoders.AutoEncoder.__init__
    registry = {ENCODER_TYPE: EntryPoint(ENCODER_TYPE, VALUE, GROUP)}

    def init(self: Any, type: str, name: str | None) -> None:
        if type in registry:
            self.model = registry[type].load()(name=name)
        else:
            stock(self, type, name)

    monkeypatch.setattr(encoders.AutoEncoder, "__init__", init)
    if LINE_1:
        from semantic_router import config

        real = config._encoder_config

        def described(encoder: Any) -> Any:
            if encoder.type in registry:
                return config.EncoderConfig(type=encoder.type, name=encoder.name)
            return real(encoder)

        monkeypatch.setattr(config, "_encoder_config", described)


def build(encoder: LoRAHuggingFaceEncoder) -> Any:
    routes = [Route(name=name, utterances=texts) for name, texts in ROUTES.items()]
    if LINE_1:
        return semantic_router.IndexedRouter(encoder=encoder, routes=routes)
    if hasattr(semantic_router, "RouteLayer"):
        return semantic_router.RouteLayer(encoder=encoder, routes=routes)
    return semantic_router.SemanticRouter(encoder=encoder, routes=routes, auto_sync="local")


def test_the_installed_package_declares_its_encoder():
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    assert found[ENCODER_TYPE].value == VALUE
    loaded = found[ENCODER_TYPE].load()
    assert loaded is LoRAHuggingFaceEncoder
    fields = getattr(loaded, "model_fields", None) or loaded.__fields__
    assert fields["type"].default == ENCODER_TYPE


@pytest.mark.usefixtures("found_upstream")
def test_where_upstream_knows_the_encoder_nothing_is_patched(encoder, tmp_path):
    upstream = encoders.AutoEncoder.__init__
    register()
    assert encoders.AutoEncoder.__init__ is upstream
    if LINE_1:
        from semantic_router import config

        assert LoRAHuggingFaceEncoder not in config._ENCODERS
    build(encoder).to_json(str(tmp_path / "router.json"))
    again = load_router(tmp_path / "router.json")
    assert encoders.AutoEncoder.__init__ is upstream
    assert again("I want my money back").name == "refund"
    assert again.encoder.embedder.fingerprint == encoder.embedder.fingerprint
    unregister()
    assert encoders.AutoEncoder.__init__ is upstream


@pytest.mark.usefixtures("found_upstream")
def test_files_of_today_load_on_that_day(encoder, tmp_path):
    routes = [{"name": name, "utterances": texts} for name, texts in ROUTES.items()]
    named = {"encoder_type": ENCODER_TYPE, "encoder_name": encoder.name}
    if LINE_1:
        named = {
            "router_type": "indexed",
            "encoder": {"type": ENCODER_TYPE, "name": encoder.name},
        }
    (tmp_path / "router.json").write_text(json.dumps(named | {"routes": routes}))
    assert load_router(tmp_path / "router.json")("I want my money back").name == "refund"


@pytest.mark.skipif(LINE_1, reason="files of 1.x name no language model")
@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_a_router_file_cannot_import_what_it_likes(encoder, tmp_path, monkeypatch, suffix):
    (tmp_path / "payload.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nLLM = dict\n")
    monkeypatch.syspath_prepend(tmp_path)
    routes = [{"name": "a", "utterances": ["b"]}]
    content = {"encoder_type": ENCODER_TYPE, "encoder_name": encoder.name, "routes": routes}
    path = tmp_path / f"router.{suffix}"  # JSON is YAML too
    for module in ("payload", "semantic_router.llmsx", "os", 7, ["os"]):
        routes[0]["llm"] = {"module": module, "class": "LLM", "model": "x"}
        path.write_text(json.dumps(content))
        with pytest.raises(DataError, match="refused"):
            load_router(path)
    assert not (tmp_path / "ran").exists()
    routes[0]["llm"] = None
    path.write_text(json.dumps(content))
    assert load_router(path).routes[0].name == "a"
    unregister()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("router.json", b"{", "not valid JSON"),
        ("router.yaml", b"{", "not valid YAML"),
        ("router.json", b"", "not valid JSON"),
        ("router.yaml", b"", "holds no router, but 'None'"),
        ("router.json", b"[]", r"holds no router, but '\[\]'"),
        ("router.json", b'{"a": "\xe9"}', "not UTF-8"),
        ("router.json", b"[" * 100_000, "nested too deeply"),
        ("router.txt", b"{}", "expected a file ending"),
        ("none.json", None, "no such file"),
    ],
)
def test_files_that_are_no_routers_are_one_clear_error(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_router(tmp_path / name)


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("change", [lambda path: path.with_suffix(".JSON"), None])
def test_endings_in_capitals_and_byte_order_marks(encoder, tmp_path, change):
    """What the installed line reads is read, and what it cannot read is said."""
    routes = [{"name": "refund", "utterances": ROUTES["refund"]}]
    named: dict[str, object] = {"encoder_type": ENCODER_TYPE, "encoder_name": encoder.name}
    if LINE_1:
        named = {
            "router_type": "indexed",
            "encoder": {"type": ENCODER_TYPE, "name": encoder.name},
        }
    path = tmp_path / "router.json"
    text = json.dumps(named | {"routes": routes})
    path.write_text(text if change else "\ufeff" + text, encoding="utf-8")
    if change:
        path = path.rename(change(path))
    if change and LINE_1:
        assert load_router(path).routes[0].name == "refund"
    else:
        with pytest.raises(DataError, match="lower case" if change else "byte order mark"):
            load_router(path)


@pytest.mark.skipif(not LINE_1, reason="1.x")
def test_what_the_proposal_says_of_stock_encoders(base_folder, tmp_path):
    from semantic_router import config

    stock = encoders.HuggingFaceEncoder(
        name=str(base_folder), device="cpu", tokenizer_kwargs={"model_max_length": 4}
    )
    texts = ["I want all of my money back"]
    router = semantic_router.IndexedRouter(
        encoder=stock, routes=[Route(name="refund", utterances=texts)]
    )
    router.to_json(tmp_path / "router.json")
    again = semantic_router.load_router(tmp_path / "router.json").encoder
    assert stock.tokenizer_kwargs and not again.tokenizer_kwargs
    assert again(texts) != stock(texts)
    content = json.loads((tmp_path / "router.json").read_text())
    content["encoder"]["device"] = "cpu"
    with pytest.raises(ValueError, match="Extra inputs"):
        config.from_config(content)
    for kind in ("HFEndpointEncoder", "LocalSparseEncoder"):
        assert getattr(encoders, kind) not in config._ENCODERS
