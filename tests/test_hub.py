"""Adapters by Hub id, from a server that speaks the Hub's protocol on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from semantic_router_lora import Embedder

COMMITS = {"main": "a" * 40, "v1": "b" * 40}

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


class Hub:
    """Repositories as (repository, revision) → folder, and the paths that were asked for."""

    def __init__(self, folders: dict[tuple[str, str], Path]) -> None:
        self.folders = folders
        self.requests: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None: ...

            def do_HEAD(self) -> None:
                self.answer(with_body=False)

            def do_GET(self) -> None:
                self.answer(with_body=True)

            def answer(self, *, with_body: bool) -> None:
                hub.requests.append(self.path)
                body, headers = hub.find(self.path.partition("?")[0])
                self.send_response(404 if body is None else 200)
                body = body or b""
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if with_body:
                    self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def find(self, path: str) -> tuple[bytes | None, dict[str, str]]:
        for (repository, revision), folder in self.folders.items():
            commit = COMMITS[revision]
            if path == f"/api/models/{repository}/revision/{revision}":
                files = [{"rfilename": file.name} for file in folder.iterdir()]
                info = {"id": repository, "sha": commit, "siblings": files}
                return json.dumps(info).encode(), {"Content-Type": "application/json"}
            if path == f"/api/models/{repository}/tree/{commit}":
                tree = [
                    {
                        "type": "file",
                        "path": file.name,
                        "size": file.stat().st_size,
                        "oid": "0" * 40,
                    }
                    for file in folder.iterdir()
                ]
                return json.dumps(tree).encode(), {"Content-Type": "application/json"}
            prefix = f"/{repository}/resolve/{commit}/"
            file = folder / path.removeprefix(prefix)
            if path.startswith(prefix) and file.is_file():
                body = file.read_bytes()
                tag = f'"{hashlib.sha256(body).hexdigest()}"'
                return body, {"ETag": tag, "X-Repo-Commit": commit}
        missing = "EntryNotFound" if "/resolve/" in path else "RepoNotFound"
        return None, {"X-Error-Code": missing}


@pytest.fixture
def hub(adapter_folder: Path, make_adapter, tmp_path: Path) -> Iterator[Hub]:
    other = make_adapter(tmp_path / "other", seed=9)
    (other / "evil.py").write_text("raise SystemExit('this must not be fetched')")
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    for name, content in (("adapter_config.json", "{}"), ("adapter_model.bin", "pickle")):
        (pickled / name).write_text(content)
    served = Hub(
        {
            ("someone/law-lora", "main"): adapter_folder,
            ("someone/law-lora", "v1"): other,
            ("someone/pickled", "main"): pickled,
        }
    )
    threading.Thread(target=served.server.serve_forever, daemon=True).start()
    yield served
    served.server.shutdown()


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
