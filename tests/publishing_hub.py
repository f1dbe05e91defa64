"""A trained adapter's folder, and a stand-in of the Hub to publish it on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.hub_server import HubServer

from semantic_router_lora.adapters.resolve import resolve_adapter
from semantic_router_lora.publishing.folder import PUBLISHED

NAME = "psychology-cache-lora-L6"
TOKEN = "hf_ThisIsTheSecretToken0123456789"
REPO = "someone/psychology"
JUNK = {".env": f"HF_TOKEN={TOKEN}", "notes.txt": "mine", "evil.py": "raise SystemExit"}


@pytest.fixture
def trained_folder(tmp_path: Path) -> Path:
    """A bundled adapter with its card, and things beside it that are nobody's business."""
    copy = tmp_path / "trained"
    shutil.copytree(resolve_adapter(NAME).folder, copy)
    for name, content in JUNK.items():
        (copy / name).write_text(content)
    (copy / "checkpoint-10").mkdir()
    (copy / "checkpoint-10" / "optimizer.pt").write_bytes(b"pickle")
    return copy


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """The stand-in, and this process's client turned to it."""
    from huggingface_hub import constants

    with HubServer(TOKEN).running() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield server


def known_files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in PUBLISHED if (folder / name).is_file()}
