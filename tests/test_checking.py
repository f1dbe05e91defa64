"""`adapter check`: what passes, what is remarked, and what is never touched."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from damage import (
    checked,
    edit,
    link,
    message,
    remove,
    slow_regex,
    sparse,
    status,
    tokenizer,
    write,
)

from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.resolve import bundled_adapters, resolve_adapter


@pytest.mark.parametrize("name", bundled_adapters())
def test_bundled_adapters_pass(name):
    report = checked(resolve_adapter(name).folder)
    assert report.ok, report.to_text()
    skipped = {check.name for check in report.checks if check.status == "skip"}
    assert skipped == {"repository", "figures", "contamination"}
    assert {check.name for check in report.checks if check.status == "warn"} == set()
    assert re.fullmatch("[0-9a-f]{16}", report.fingerprint or "")


def test_nothing_is_loaded_once_the_files_are_not_what_they_should_be(law_folder, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a library of others saw the files")

    monkeypatch.setattr("safetensors.torch.load", refuse)
    monkeypatch.setattr("tokenizers.Tokenizer.from_file", refuse, raising=False)
    monkeypatch.setattr("semantic_router_lora.checking.documents.parse_json", refuse)
    write("evil.py", b"raise SystemExit")(law_folder)
    report = checked(law_folder)
    assert status(report, "files") == "fail"
    made = {check.name for check in report.checks if check.status != "skip"}
    assert made == {"files", "complete", "sizes"}
    assert "'files' did not pass" in message(report, "weights")


def test_a_tokenizer_that_failed_is_not_used(law_folder):
    tokenizer(slow_regex)(law_folder)
    report = checked(law_folder)
    assert status(report, "tokenizer") == "fail"
    assert message(report, "vectors") == "not made, because 'tokenizer' did not pass"


def test_a_giant_file_is_not_read(law_folder, monkeypatch):
    sparse(layout.TOKENIZER, 50_000_000_000)(law_folder)
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail(f"{self} was read"))
    assert "50,000,000,000" in message(checked(law_folder), "sizes")


def test_a_check_that_stumbles_does_not_pass(law_folder, monkeypatch):
    monkeypatch.setattr(
        "semantic_router_lora.checking.vectors.Embedder", lambda *_, **__: {}["nothing"]
    )
    report = checked(law_folder)
    assert not report.ok
    assert message(report, "vectors") == "it could not be checked: KeyError: 'nothing'"


def test_remarks_do_not_fail(law_folder):
    remove(layout.TRAINING_HISTORY)(law_folder)
    edit(layout.TOKENIZER_CONFIG, tokenizer_file="/home/someone/tokenizer.json")(law_folder)
    tokenizer(lambda t: t["normalizer"].update(lowercase=False))(law_folder)
    report = checked(law_folder)
    warned = {check.name for check in report.checks if check.status == "warn"}
    assert {"complete", "paths", "tokenizer"} <= warned
    assert "another normalizer" in message(report, "tokenizer")


@pytest.fixture
def snapshot(law_folder: Path, tmp_path: Path) -> Path:
    repository = tmp_path / "models--someone--law-lora"
    folder = repository / "snapshots" / ("a" * 40)
    folder.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for number, file in enumerate(sorted(law_folder.iterdir())):
        shutil.move(file, repository / "blobs" / f"{number:064}")
        (folder / file.name).symlink_to(f"../../blobs/{number:064}")
    return folder


def test_links_within_the_cache_of_the_hub_are_accepted(snapshot):
    report = checked(snapshot)
    assert report.ok, report.to_text()
    assert "could not be listed" in message(report, "repository")  # the tests are offline


def test_links_out_of_the_cache_are_not(snapshot):
    link(layout.CARD, "/etc/passwd")(snapshot)
    assert "README.md is a link" in message(checked(snapshot), "files")
    blob = snapshot.parent.parent / "blobs" / "evil"
    blob.symlink_to("/etc/passwd")
    link(layout.CARD, "../../blobs/evil")(snapshot)
    assert "README.md is a link" in message(checked(snapshot), "files")


def test_code_elsewhere_in_the_repository(snapshot, monkeypatch):
    names = [*(path.name for path in snapshot.iterdir()), ".gitattributes", "modeling_evil.py"]
    monkeypatch.setattr("huggingface_hub.HfApi.list_repo_files", lambda *_, **__: names)
    assert message(checked(snapshot), "repository") == (
        "modeling_evil.py: code: an adapter holds none"
    )
