"""What stops an upload: a folder that is not as it must be, and what the Hub answers."""

from __future__ import annotations

import logging

import pytest
from publishing_hub import REPO, TOKEN, known_files
from servers.hub_server import Answer

from semantic_router_lora.card import write_card
from semantic_router_lora.card.stated import Stated
from semantic_router_lora.errors import AdapterError, AdapterFormatError, EndpointError, InputError
from semantic_router_lora.publishing.checked import checked_repository, checked_upload
from semantic_router_lora.publishing.folder import read_upload
from semantic_router_lora.publishing.publish import publish
from semantic_router_lora.publishing.secrets import redacted


@pytest.mark.parametrize("repo_id", ["nobody", "a/b/c", "a/b@main", "../b", "a/b..c", "a/b.git"])
def test_repository_names(repo_id):
    with pytest.raises(InputError, match="repository"):
        checked_repository(repo_id)


def test_only_whole_plain_folders(trained_folder, tmp_path):
    upload = read_upload(trained_folder)
    with upload.staged() as copy:
        assert {path.name for path in copy.iterdir()} == set(known_files(trained_folder))
        assert copy.name == trained_folder.name
    assert not copy.exists()
    with (trained_folder / "training_history.png").open("ab") as file:
        file.truncate(5_000_000)
    with pytest.raises(AdapterFormatError, match=r"at most 4,000,000 are published"):
        read_upload(trained_folder)
    (trained_folder / "training_history.png").unlink()
    (trained_folder / "README.md").unlink()
    with pytest.raises(AdapterFormatError, match=r"has no README\.md"):
        read_upload(trained_folder)
    (trained_folder / "README.md").symlink_to(trained_folder / ".env")
    with pytest.raises(AdapterFormatError, match="no plain file"):
        read_upload(trained_folder)
    with pytest.raises(InputError, match="is no folder"):
        read_upload(tmp_path / "none")


def test_a_card_that_names_another_repository_stops_it(trained_folder):
    card = trained_folder / "README.md"
    write_card(trained_folder, Stated(repo_id="other/name"))
    with pytest.raises(AdapterError, match=r"names other/name, not someone/psychology\. Write it"):
        checked_upload(trained_folder, REPO, rerun=False)
    card.write_text(card.read_text().replace("0.087 [", "0.987 ["))
    with pytest.raises(AdapterError, match=r"is not ready: .*--repo-id someone/psychology"):
        checked_upload(trained_folder, REPO, rerun=False)


def test_a_failed_check_stops_it(hub, trained_folder):
    config = trained_folder / "adapter_config.json"
    config.write_text(config.read_text().replace('"r": 4', '"r": 4000'))
    with pytest.raises(AdapterError, match=r"does not pass its check|is not ready"):
        checked_upload(trained_folder, REPO, rerun=False)
    assert hub.requests == []


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
def test_refusals_are_one_clear_line_without_the_token(
    hub, trained_folder, part, status, says, caplog
):
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
            publish(read_upload(trained_folder), REPO)
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


def test_redaction():
    assert redacted("secret-token, hf_abcdefghij", "secret-token") == "***, ***"
    assert redacted("https://me:pw@host/x Bearer abc", None) == "https://***@host/x Bearer ***"


def test_a_commit_of_others_in_between_is_not_written_over(hub, trained_folder, monkeypatch):
    publish(read_upload(trained_folder), REPO)
    repo, commit = hub.repos[REPO], hub._commit

    def late(*arguments):
        repo.add(repo.files("main") | {"tokenizer.json": b"theirs"})
        return commit(*arguments)

    monkeypatch.setattr(hub, "_commit", late)
    (trained_folder / "training_info.json").write_text("{}")
    with pytest.raises(EndpointError, match="was changed meanwhile; run it again"):
        publish(read_upload(trained_folder), REPO)
    assert repo.files("main")["tokenizer.json"] == b"theirs"


def test_without_a_hub_a_token_or_a_connection(hub, trained_folder, monkeypatch, tmp_path):
    from huggingface_hub import constants

    upload = read_upload(trained_folder)
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


def test_what_the_hub_leaves_out_is_noticed(hub, trained_folder, monkeypatch):
    from servers import hub_server

    mode = hub_server._upload_mode
    monkeypatch.setattr(
        hub_server, "_upload_mode", lambda path: mode(path) | {"shouldIgnore": "info" in path}
    )
    with pytest.raises(EndpointError, match=r"has another training_info\.json or none"):
        publish(read_upload(trained_folder), REPO)
