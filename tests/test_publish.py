"""Publishing adapters on a stand-in of the Hub, and fetching them from there again."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from publishing_hub import NAME, REPO, TOKEN, known_files
from servers.hub_server import HubServer
from typer.testing import CliRunner

from semantic_router_lora.adapters import catalogue
from semantic_router_lora.adapters.read import read_adapter
from semantic_router_lora.cli import app
from semantic_router_lora.errors import InputError
from semantic_router_lora.publishing.folder import read_upload
from semantic_router_lora.publishing.publish import publish


def run(server: HubServer, home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(home),
        "HF_TOKEN": TOKEN,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    return subprocess.run(
        [sys.executable, "-m", "semantic_router_lora", "adapter", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


def test_round_trip_through_processes(hub, trained_folder, tmp_path):
    home = tmp_path / "home"
    done = run(hub, home, "publish", trained_folder, REPO, "--no-rerun", "--message", "First")
    assert done.returncode == 0, done.stdout + done.stderr
    assert TOKEN not in done.stdout + done.stderr
    commit = hub.repos[REPO].branches["main"]
    assert f"Published: {REPO}@{commit}" in done.stdout
    received = dict(hub.repos[REPO].commits[commit])
    assert received.pop(".gitattributes")
    assert received == known_files(trained_folder)
    assert hub.repos[REPO].messages == ["First"]
    assert not any(TOKEN.encode() in data for data in received.values())

    toml = tmp_path / "catalogue.toml"
    toml.write_text(done.stdout[done.stdout.index("[[adapter]]") :], encoding="utf-8")
    (entry,) = catalogue.read(toml)
    bundled = catalogue.find(NAME)
    assert entry.name == "psychology" and entry.revision == commit and not entry.verified
    assert (entry.sha256, entry.base, entry.domains) == (
        bundled.sha256,
        bundled.base,
        bundled.domains,
    )
    assert entry.figures == bundled.figures and entry.license == bundled.license

    pulled = run(hub, home, "pull", f"{REPO}@{commit}", "--output", tmp_path / "pulled")
    assert pulled.returncode == 0, pulled.stderr
    assert pulled.stdout.strip() == str(tmp_path / "pulled")
    ours, theirs = (read_adapter("", path) for path in (trained_folder, tmp_path / "pulled"))
    assert ours.fingerprint == theirs.fingerprint
    got = known_files(tmp_path / "pulled")
    assert got == {name: data for name, data in received.items() if name in got}
    assert len(got) >= 8


def test_dry_run_shows_all_and_asks_nothing(hub, trained_folder):
    done = CliRunner().invoke(
        app, ["adapter", "publish", str(trained_folder), REPO, "--dry-run", "--no-rerun"]
    )
    assert done.exit_code == 0, done.output + str(done.exception)
    listed = done.output[done.output.index(f"To {REPO}:") :].splitlines()
    for name, data in known_files(trained_folder).items():
        line = next(line for line in listed if line.endswith(f" {name}"))
        assert f"{len(data):,}" in line and hashlib.sha256(data).hexdigest() in line
    assert "Not published: .env, checkpoint-10, evil.py, notes.txt" in done.output
    assert hub.requests == []


def test_publishing_again_removes_what_is_stale_and_leaves_the_rest(hub, trained_folder):
    first = publish(read_upload(trained_folder), REPO)
    repo = hub.repos[REPO]
    repo.add(repo.files("main") | {"adapter_model.bin": b"pickle"})
    (trained_folder / "tokenizer.json").unlink()
    second = publish(read_upload(trained_folder), REPO)
    assert second.others == ["adapter_model.bin"]
    assert second.hub_id != first.hub_id and first.others == []
    there = repo.commits[second.hub_id.revision]
    assert set(there) - set(known_files(trained_folder)) == {".gitattributes", "adapter_model.bin"}
    assert (first.hub_id.repo, len(repo.messages)) == (REPO, 2)


def test_a_branch_and_a_private_repository(hub, trained_folder):
    done = publish(read_upload(trained_folder), REPO, private=True, revision="v2")
    repo = hub.repos[REPO]
    assert repo.private and repo.branches["v2"] == done.hub_id.revision != repo.branches["main"]
    assert list(repo.files("main")) == [".gitattributes"]


def test_a_public_repository_is_not_taken_for_a_private_one(hub, trained_folder):
    publish(read_upload(trained_folder), REPO)
    commits = len(hub.repos[REPO].commits)
    with pytest.raises(InputError, match="is public: nothing was uploaded"):
        publish(read_upload(trained_folder), REPO, private=True)
    assert len(hub.repos[REPO].commits) == commits
