"""Publishing adapters on a stand-in of the Hub, and fetching them from there again."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.hub_server import Answer, HubServer
from typer.testing import CliRunner

from semantic_router_lora.adapters import catalogue
from semantic_router_lora.adapters.read import read_adapter
from semantic_router_lora.adapters.resolve import resolve_adapter
from semantic_router_lora.card import write_card
from semantic_router_lora.card.stated import Stated
from semantic_router_lora.cli import app
from semantic_router_lora.errors import (
    AdapterError,
    AdapterFormatError,
    EndpointError,
    InputError,
)
from semantic_router_lora.publishing.checked import checked_repository, checked_upload
from semantic_router_lora.publishing.folder import PUBLISHED, read_upload
from semantic_router_lora.publishing.publish import publish
from semantic_router_lora.publishing.secrets import redacted

NAME = "psychology-cache-lora-L6"
TOKEN = "hf_ThisIsTheSecretToken0123456789"
REPO = "someone/psychology"
JUNK = {".env": f"HF_TOKEN={TOKEN}", "notes.txt": "mine", "evil.py": "raise SystemExit"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
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


def test_round_trip_through_processes(hub, folder, tmp_path):
    home = tmp_path / "home"
    done = run(hub, home, "publish", folder, REPO, "--no-rerun", "--message", "First")
    assert done.returncode == 0, done.stdout + done.stderr
    assert TOKEN not in done.stdout + done.stderr
    commit = hub.repos[REPO].branches["main"]
    assert f"Published: {REPO}@{commit}" in done.stdout
    received = dict(hub.repos[REPO].commits[commit])
    assert received.pop(".gitattributes")
    assert received == known_files(folder)
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
    ours, theirs = (read_adapter("", path) for path in (folder, tmp_path / "pulled"))
    assert ours.fingerprint == theirs.fingerprint
    got = known_files(tmp_path / "pulled")
    assert got == {name: data for name, data in received.items() if name in got}
    assert len(got) >= 8


def test_dry_run_shows_all_and_asks_nothing(hub, folder):
    done = CliRunner().invoke(
        app, ["adapter", "publish", str(folder), REPO, "--dry-run", "--no-rerun"]
    )
    assert done.exit_code == 0, done.output + str(done.exception)
    listed = done.output[done.output.index(f"To {REPO}:") :].splitlines()
    for name, data in known_files(folder).items():
        line = next(line for line in listed if line.endswith(f" {name}"))
        assert f"{len(data):,}" in line and hashlib.sha256(data).hexdigest() in line
    assert "Not published: .env, checkpoint-10, evil.py, notes.txt" in done.output
    assert hub.requests == []


def test_publishing_again_removes_what_is_stale_and_leaves_the_rest(hub, folder):
    first = publish(read_upload(folder), REPO)
    repo = hub.repos[REPO]
    repo.add(repo.files("main") | {"adapter_model.bin": b"pickle"})
    (folder / "tokenizer.json").unlink()
    second = publish(read_upload(folder), REPO)
    assert second.others == ["adapter_model.bin"]
    assert second.hub_id != first.hub_id and first.others == []
    there = repo.commits[second.hub_id.revision]
    assert set(there) - set(known_files(folder)) == {".gitattributes", "adapter_model.bin"}
    assert (first.hub_id.repo, len(repo.messages)) == (REPO, 2)


def test_a_branch_and_a_private_repository(hub, folder):
    done = publish(read_upload(folder), REPO, private=True, revision="v2")
    repo = hub.repos[REPO]
    assert repo.private and repo.branches["v2"] == done.hub_id.revision != repo.branches["main"]
    assert list(repo.files("main")) == [".gitattributes"]


def test_a_public_repository_is_not_taken_for_a_private_one(hub, folder):
    publish(read_upload(folder), REPO)
    commits = len(hub.repos[REPO].commits)
    with pytest.raises(InputError, match="is public: nothing was uploaded"):
        publish(read_upload(folder), REPO, private=True)
    assert len(hub.repos[REPO].commits) == commits


@pytest.mark.parametrize(
    ("part", "status", "says"),
    [
        ("GET /api/whoami-v2", 401, "logging in to the Hub failed: the token is not accepted"),
        ("POST /api/repos/create", 403, "creating .* may not do that; it needs the right to write"),
        ("/preupload/", 403, "uploading to .* needs the right to write"),
        ("GET /api/models/", 404, "reading .* no such repository or branch"),
        ("/commit/", 409, "uploading to .* another change is under way; try again"),
        ("/commit/", 412, "uploading to .* was changed meanwhile; run it again"),
        ("/commit/", 413, "uploading to .* too large"),
        ("POST /api/repos/create", 429, "creating .* too many requests"),
        ("/commit/", 503, r"uploading to .* has a fault of its own; try again later \(HTTP 503"),
        ("POST /api/validate-yaml", 400, "uploading to .* Invalid metadata in README.md"),
    ],
)
def test_refusals_are_one_clear_line_without_the_token(hub, folder, part, status, says, caplog):
    answer = {"error": f"no, {TOKEN}", "errors": [{"message": f"license {TOKEN}"}], "warnings": []}
    # the client shows each topic of a warning once
    headers = {"X-Error-Message": f"bad {TOKEN}", "X-HF-Warning": f"{part}{status}; saw {TOKEN}"}
    hub.faults[part] = Answer(answer, status, headers)
    records: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(self.format(record))

    handler = Kept(logging.DEBUG)
    logging.getLogger("huggingface_hub").addHandler(handler)
    caplog.set_level(logging.DEBUG)
    try:
        with pytest.raises(EndpointError, match=says) as refused:
            publish(read_upload(folder), REPO)
    finally:
        logging.getLogger("huggingface_hub").removeHandler(handler)
    assert "\n" not in str(refused.value)
    assert refused.value.__cause__ is None and refused.value.__context__ is None
    assert records or caplog.records
    assert any("***" in record for record in records)  # the server's warning came, without it
    for text in (str(refused.value), caplog.text, *records):
        assert TOKEN not in text
    there = hub.repos.get(REPO)
    assert there is None or list(there.files("main")) == [".gitattributes"]


def test_a_commit_of_others_in_between_is_not_written_over(hub, folder, monkeypatch):
    publish(read_upload(folder), REPO)
    repo, commit = hub.repos[REPO], hub._commit

    def late(*arguments):
        repo.add(repo.files("main") | {"tokenizer.json": b"theirs"})
        return commit(*arguments)

    monkeypatch.setattr(hub, "_commit", late)
    (folder / "training_info.json").write_text("{}")
    with pytest.raises(EndpointError, match="was changed meanwhile; run it again"):
        publish(read_upload(folder), REPO)
    assert repo.files("main")["tokenizer.json"] == b"theirs"


def test_without_a_hub_a_token_or_a_connection(hub, folder, monkeypatch, tmp_path):
    from huggingface_hub import constants

    upload = read_upload(folder)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="HF_HUB_OFFLINE is set"):
        publish(upload, REPO)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(EndpointError, match="the Hub cannot be reached"):
        publish(upload, REPO)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    hub.faults["/api/whoami-v2"] = Answer(b"<html>welcome to this network</html>")
    with pytest.raises(EndpointError, match="is HF_ENDPOINT a Hub"):
        publish(upload, REPO)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(InputError, match="no token for the Hub"):
        publish(upload, REPO)


def test_what_the_hub_leaves_out_is_noticed(hub, folder, monkeypatch):
    from servers import hub_server

    mode = hub_server._upload_mode
    monkeypatch.setattr(
        hub_server, "_upload_mode", lambda path: mode(path) | {"shouldIgnore": "info" in path}
    )
    with pytest.raises(EndpointError, match=r"has another training_info\.json or none"):
        publish(read_upload(folder), REPO)


def test_only_whole_plain_folders(folder, tmp_path):
    upload = read_upload(folder)
    with upload.staged() as copy:
        assert {path.name for path in copy.iterdir()} == set(known_files(folder))
        assert copy.name == folder.name
    assert not copy.exists()
    with (folder / "training_history.png").open("ab") as file:
        file.truncate(5_000_000)
    with pytest.raises(AdapterFormatError, match=r"at most 4,000,000 are published"):
        read_upload(folder)
    (folder / "training_history.png").unlink()
    (folder / "README.md").unlink()
    with pytest.raises(AdapterFormatError, match=r"has no README\.md"):
        read_upload(folder)
    (folder / "README.md").symlink_to(folder / ".env")
    with pytest.raises(AdapterFormatError, match="no plain file"):
        read_upload(folder)
    with pytest.raises(InputError, match="is no folder"):
        read_upload(tmp_path / "none")


def test_a_card_that_names_another_repository_stops_it(folder):
    card = folder / "README.md"
    write_card(folder, Stated(repo_id="other/name"))
    with pytest.raises(AdapterError, match=r"names other/name, not someone/psychology\. Write it"):
        checked_upload(folder, REPO, rerun=False)
    card.write_text(card.read_text().replace("0.087 [", "0.987 ["))
    with pytest.raises(AdapterError, match=r"is not ready: .*--repo-id someone/psychology"):
        checked_upload(folder, REPO, rerun=False)


def test_a_failed_check_stops_it(hub, folder):
    config = folder / "adapter_config.json"
    config.write_text(config.read_text().replace('"r": 4', '"r": 4000'))
    with pytest.raises(AdapterError, match=r"does not pass its check|is not ready"):
        checked_upload(folder, REPO, rerun=False)
    assert hub.requests == []


@pytest.mark.parametrize("repo_id", ["nobody", "a/b/c", "a/b@main", "../b", "a/b..c", "a/b.git"])
def test_repository_names(repo_id):
    with pytest.raises(InputError, match="repository"):
        checked_repository(repo_id)


def test_redaction():
    assert redacted("secret-token, hf_abcdefghij", "secret-token") == "***, ***"
    assert redacted("https://me:pw@host/x Bearer abc", None) == "https://***@host/x Bearer ***"
