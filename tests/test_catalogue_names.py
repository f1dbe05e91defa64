"""Names of the catalogue: what they resolve to, and what is verified of it."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest
from bundled_results import RESULTS
from servers.hub_server import HubServer

from semantic_router_lora.adapters import catalogue, resolve
from semantic_router_lora.adapters.catalogue import Entry
from semantic_router_lora.adapters.local import local_state
from semantic_router_lora.adapters.pull import pull_adapter
from semantic_router_lora.adapters.resolve import resolve_adapter
from semantic_router_lora.base_models import file_sha256
from semantic_router_lora.errors import AdapterFormatError, InputError, ModelReferenceError


@pytest.fixture
def adapter_folder() -> Path:
    return resolve_adapter("law-cache-lora-L6").folder


@pytest.fixture
def hub(monkeypatch, adapter_folder, tmp_path):
    """A stand-in of the Hub that serves one adapter, and this process's client turned to it."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with HubServer().running() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        from servers.hub_server import Repo

        repo = server.repos["o/law"] = Repo()
        repo.add({path.name: path.read_bytes() for path in adapter_folder.iterdir()})
        yield server


@pytest.fixture
def listed(monkeypatch, hub, adapter_folder):
    """Put an entry for that adapter into the catalogue; returns a function that changes it."""
    entry = Entry(
        name="my-law",
        base="sentence-transformers/all-MiniLM-L6-v2",
        domains=("law",),
        license="mit",
        verified=False,
        sources=("https://example.org",),
        hub="o/law",
        revision=hub.repos["o/law"].branches["main"],
        sha256=file_sha256(adapter_folder / "adapter_model.safetensors"),
    )

    def put(**changes: object) -> Entry:
        from dataclasses import replace

        changed = replace(entry, **changes)
        monkeypatch.setattr(catalogue, "entries", lambda: (changed,))
        return changed

    put()
    return put


def test_names_resolve_at_the_pinned_commit_then_from_the_cache(hub, listed, adapter_folder):
    commit = hub.repos["o/law"].branches["main"]
    hub.repos["o/law"].add({"README.md": b"moved on"})
    found = resolve_adapter("my-law")
    assert found.name == f"o/law@{commit}"  # so a saved reference needs no catalogue
    weights = adapter_folder / "adapter_model.safetensors"
    assert file_sha256(found.folder / weights.name) == file_sha256(weights)
    hub.faults[""] = hub.answer("GET", "/api/models/none", b"", None)
    assert resolve_adapter("my-law") == found
    assert resolve_adapter(f"o/law@{commit}") == found


def test_a_digest_that_differs_is_refused_after_download_and_in_the_cache(hub, listed):
    right = listed().sha256
    listed(sha256="0" * 64)
    for _ in range(2):
        with pytest.raises(AdapterFormatError, match=f"SHA-256 {right}, but .* says {'0' * 64}"):
            resolve_adapter("my-law")
    commit = listed(sha256="0" * 64).revision
    with pytest.raises(AdapterFormatError, match="but the catalogue says"):
        resolve_adapter(f"o/law@{commit}")
    listed()
    weights = resolve_adapter("my-law").folder / "adapter_model.safetensors"
    blob = weights.resolve()
    blob.write_bytes(blob.read_bytes()[:-1] + b"\0")
    hub.faults["/resolve/"] = hub.answer("GET", "/api/models/none", b"", None)
    with pytest.raises(AdapterFormatError, match=f"says {right}"):
        resolve_adapter("my-law")


def test_an_entry_without_a_digest_says_so_once(hub, listed, caplog):
    resolve._warn_unverified.cache_clear()
    listed(sha256=None, revision=None)
    caplog.set_level(logging.WARNING)
    assert resolve_adapter("my-law").name == resolve_adapter("my-law").name == "o/law"
    assert caplog.text.count("what came was not verified") == 1


def test_a_folder_goes_before_the_catalogue_and_unknown_names_list_it(
    listed, adapter_folder, tmp_path, monkeypatch
):
    with pytest.raises(ModelReferenceError, match=r"nor in the catalogue \(my-law\)"):
        resolve_adapter("your-law")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(adapter_folder, tmp_path / "my-law")
    assert resolve_adapter("my-law").folder == tmp_path / "my-law"
    with pytest.raises(InputError, match="folder on this machine"):
        pull_adapter("my-law")


def test_pull_to_a_folder(hub, listed, adapter_folder, tmp_path):
    output = tmp_path / "new" / "law"
    assert pull_adapter("my-law", output) == output
    assert not any(path.is_symlink() for path in output.iterdir())
    with pytest.raises(InputError, match="not empty"):
        pull_adapter("my-law", output)
    listed(sha256="0" * 64)
    with pytest.raises(AdapterFormatError, match="but the catalogue says"):
        pull_adapter("my-law", tmp_path / "bad")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "new"]


def test_looking_for_what_is_here_asks_no_hub(hub, listed):
    state = local_state("my-law")
    assert state.folder is None and "nothing is downloaded here" in state.reason
    assert hub.requests == []
    pull_adapter("my-law")
    asked = len(hub.requests)
    state = local_state("my-law")
    assert state.fingerprint == RESULTS["embedders"]["law-cache-lora-L6"]["fingerprint"]
    assert len(hub.requests) == asked
