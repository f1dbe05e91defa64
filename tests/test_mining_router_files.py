"""Routes to mine, read from router files of all lines of semantic-router."""

from __future__ import annotations

import json

import pytest
from library_intents import INTENTS

from semantic_router_lora.errors import DataError
from semantic_router_lora.mining import read_routes


def test_router_files_of_all_lines(tmp_path):
    routes = [
        {"name": "refund", "utterances": ["my money back", "refund my order"], "llm": None},
        {"name": "rain", "utterances": ["will it rain", 7]},
    ]
    expected = {"refund": ["my money back", "refund my order"], "rain": ["will it rain", 7]}
    old = {"encoder_type": "openai", "encoder_name": "x", "routes": routes}
    (tmp_path / "a.json").write_text(json.dumps(old))
    assert read_routes(tmp_path / "a.json") == expected
    (tmp_path / "list.yaml").write_text(json.dumps(routes))  # JSON is YAML
    assert read_routes(tmp_path / "list.yaml") == expected
    more = [{"name": "rain", "utterances": ["is it wet"]}, {"name": "no utterances"}]
    nested = {
        "router_type": "chain",
        "routers": [
            {"router_type": "indexed", "encoder": {"type": "openai", "name": "x"}, **old},
            {
                "router_type": "merge",
                "routers": [
                    {"router_type": "decision", "model": {"type": "gliner2"}, "routes": more},
                    {"router_type": "indexed", "index": {"type": "pinecone"}},
                ],
            },
        ],
    }
    (tmp_path / "b.yml").write_text(json.dumps(nested))
    assert read_routes(tmp_path / "b.yml") == {
        "refund": expected["refund"],
        "rain": [*expected["rain"], "is it wet"],
        "no utterances": [],
    }


def test_a_file_that_the_installed_semantic_router_saved(tmp_path):
    import semantic_router
    from semantic_router import Route
    from semantic_router.encoders import HuggingFaceEncoder

    routes = [Route(name=name, utterances=texts) for name, texts in INTENTS.items()]
    path = tmp_path / "router.yaml"
    if hasattr(semantic_router, "IndexedRouter"):
        from semantic_router.config import EncoderConfig, IndexedConfig

        config = IndexedConfig(
            encoder=EncoderConfig(type=HuggingFaceEncoder.__name__), routes=routes
        )
        path = tmp_path / "router.json"
        path.write_text(config.model_dump_json())
    else:
        line = semantic_router
        if hasattr(line, "RouteLayer"):
            from semantic_router.layer import LayerConfig as Config
        else:
            from semantic_router.routers import RouterConfig as Config
        Config(routes=routes, encoder_type="openai", encoder_name="x").to_file(str(path))
    assert read_routes(path) == INTENTS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected a router"),
        ("router_type: indexed", "holds no routes"),
        ("routes: 7", "no list"),
        ("routes: [{utterances: [a]}]", "holds no routes"),
        ("routes: [{name: 7}]", "expected a text"),
        ("routes: [{name: a, utterances: b}]", "no list"),
        ("routes: [{name: !!python/object/apply:os.getcwd []}]", "not valid YAML"),
        ("routes: &a [{routers: *a}]", "nested too deeply"),
        ("routes: [", "not valid YAML"),
        ("routes: 2024-02-31", "not valid YAML"),
    ],
)
def test_router_files_that_cannot_be_read(content, message, tmp_path):
    (tmp_path / "router.yaml").write_text(content)
    with pytest.raises(DataError, match=message):
        read_routes(tmp_path / "router.yaml")


def test_router_files_of_other_kinds(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_routes(tmp_path / "none.yaml")
    for name, content, message in (
        ("a.toml", b"", "expected a file ending in"),
        ("a.json", b"{", "not valid JSON"),
        ("a.yaml", b"\xff\xfe\xfa", "not UTF-8"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=message):
            read_routes(tmp_path / name)
