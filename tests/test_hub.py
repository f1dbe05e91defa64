"""Adapters by Hub id, from a server that speaks the Hub's protocol on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.hub_server import HubServer, Repo

from semantic_router_lora import Embedder

CODE = """
import sys
from semantic_router_lora import Embedder
from semantic_router_lora.errors import SemanticRouterLoraError
try:
    embedder = Embedder(adapter=sys.argv[1], base=sys.argv[2])
except SemanticRouterLoraError as error:
    print("refused:", error)
else:
    print(embedder.reference.partition("+lora:")[2], embedder.fingerprint)
"""


@pytest.fixture
def hub(adapter_folder: Path, make_adapter) -> Iterator[HubServer]:
    other = make_adapter(seed=9)
    (other / "evil.py").write_text("raise SystemExit('this must not be fetched')")
    with HubServer().running() as server:
        law = server.repos["someone/law-lora"] = Repo()
        for folder, branch in ((other, "v1"), (adapter_folder, "main")):
            law.add({path.name: path.read_bytes() for path in folder.iterdir()}, branch)
        pickled = server.repos["someone/pickled"] = Repo()
        pickled.add({"adapter_config.json": b"{}", "adapter_model.bin": b"pickle"})
        yield server


def load(hub_url: str, cache: Path, reference: str, base: Path, *, offline: bool = False) -> str:
    environment = os.environ | {
        "HF_ENDPOINT": hub_url,
        "HF_HOME": str(cache),
        "HF_HUB_OFFLINE": "1" if offline else "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", CODE, reference, str(base)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_hub_id_and_revision_then_the_cache_offline(hub, adapter_folder, base_folder, tmp_path):
    cache = tmp_path / "cache"
    local = Embedder(str(base_folder), str(adapter_folder)).fingerprint
    newest = load(hub.url, cache, "someone/law-lora", base_folder)
    assert newest == f"someone/law-lora {local}"
    pinned = load(hub.url, cache, "someone/law-lora@v1", base_folder)
    assert pinned.startswith("someone/law-lora@v1 ")
    assert pinned.split()[1] != local
    assert not any("evil.py" in request for request in hub.requests)
    asked = len(hub.requests)
    assert load(hub.url, cache, "someone/law-lora@v1", base_folder, offline=True) == pinned
    assert len(hub.requests) == asked


def test_what_the_hub_has_not_or_serves_as_pickle(hub, base_folder, tmp_path):
    missing = load(hub.url, tmp_path / "cache", "someone/nothing", base_folder)
    assert missing.startswith("refused: adapter 'someone/nothing' is not bundled")
    pickled = load(hub.url, tmp_path / "cache", "someone/pickled", base_folder)
    assert "has no adapter_model.safetensors" in pickled
