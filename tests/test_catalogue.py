"""The catalogue: its entries, how names resolve through it, and what is verified."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from servers.hub_server import HubServer
from typer.testing import CliRunner

from semantic_router_lora.adapters import catalogue, resolve
from semantic_router_lora.adapters.catalogue import Entry
from semantic_router_lora.adapters.catalogue_views import to_toml
from semantic_router_lora.adapters.local import local_state
from semantic_router_lora.adapters.pull import pull_adapter
from semantic_router_lora.adapters.resolve import bundled_adapters, resolve_adapter
from semantic_router_lora.base_models import file_sha256
from semantic_router_lora.cli import app
from semantic_router_lora.errors import (
    AdapterFormatError,
    DataError,
    InputError,
    ModelReferenceError,
)
from semantic_router_lora.publishing.entry import entry_problems

ROOT = Path(__file__).parents[1]
RESULTS = json.loads((ROOT / "docs" / "results" / "bundled-L6.json").read_text())


def cli(*arguments: str | Path):
    return CliRunner().invoke(app, ["adapter", *map(str, arguments)])


@pytest.mark.parametrize("name", bundled_adapters())
def test_bundled_entries_say_what_was_measured(name):
    entry = catalogue.find(name)
    folder = resolve_adapter(name).folder
    assert entry.sha256 == file_sha256(folder / "adapter_model.safetensors")
    assert entry.base == RESULTS["base"] and entry.verified
    assert list(entry.domains) == RESULTS["embedders"][name]["domains"]
    measured = {suite["domain"]: suite["figures"] for suite in RESULTS["suites"]}
    assert set(entry.figures) == set(entry.domains)
    for domain, metrics in entry.figures.items():
        assert set(metrics) == set(catalogue.METRICS)
        for metric, pair in metrics.items():
            values = [measured[domain][who][metric]["value"] for who in ("baseline", name)]
            assert list(pair) == [round(value, 4) for value in values]


def test_all_bundled_adapters_have_an_entry_and_the_reference_s_are_not_verified():
    entries = catalogue.entries()
    assert sorted(entry.name for entry in entries if entry.path) == bundled_adapters()
    others = [entry for entry in entries if (entry.hub or "").startswith("llm-semantic-router/")]
    assert "multi-domain-cache-lora-L12" in {entry.name for entry in others}
    for entry in others:
        assert not entry.verified and entry.sha256 is None
        assert all(
            source.startswith("https://github.com/vllm-project/") for source in entry.sources
        )


SOUND = """
[[adapter]]
name = "a"
hub = "o/a"
base = "b/b"
domains = ["law"]
license = "mit"
verified = false
sources = ["https://example.org"]
"""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("", "name = 1\n["), "catalogue.toml"),
        (('license = "mit"', ""), r"\(a\) lacks license"),
        (('license = "mit"', 'licence = "mit"\nlicense = "mit"'), "has licence, which no entry"),
        (('name = "a"', 'name = "../a"'), "name is '../a'"),
        (('hub = "o/a"', 'hub = "https://evil"'), "expected owner/name"),
        (('hub = "o/a"', 'hub = "o/a@main"'), "expected owner/name"),
        (('hub = "o/a"', 'path = "../../etc"'), "expected 'bundled/a'"),
        (('hub = "o/a"', ""), "either hub or path"),
        (("verified = false", "verified = true"), "sha256 is missing"),
        (("verified = false", f'verified = false\nsha256 = "{"0" * 64}"'), "without the revision"),
        (("verified = false", 'verified = false\nrevision = "main"'), "can move"),
        (("verified = false", 'verified = "no"'), "expected true or false"),
        (('["law"]', "[]"), "domains is"),
        (('"https://example.org"', '"a\\u001b[2J"'), "sources is"),
        (
            ("verified = false", "verified = false\nfigures.law = { margin = [1, 2] }"),
            "measured_on",
        ),
        (
            ("verified = false", 'measured_on = "x"\nverified = false\nfigures.law = { f1 = [1] }'),
            "figures are not",
        ),
        (("", SOUND), "two adapters are called 'a'"),
    ],
)
def test_entries_that_are_refused(change, says, tmp_path):
    path = tmp_path / "catalogue.toml"
    path.write_text(SOUND)
    assert catalogue.read(path)[0].hub == "o/a"
    before, after = change
    path.write_text(SOUND.replace(before, after) if before else SOUND + after)
    with pytest.raises(DataError, match=says):
        catalogue.read(path)


def test_an_entry_written_is_the_entry_read(tmp_path):
    path = tmp_path / "catalogue.toml"
    path.write_text("".join(map(to_toml, catalogue.entries())), encoding="utf-8")
    assert catalogue.read(path) == catalogue.entries()


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


def test_list_info_and_pull(tmp_path):
    content = json.loads(cli("list", "--json").stdout)
    assert len(content) == len(catalogue.entries())
    assert content[0]["here"] == "bundled" and content[-1]["here"] == "–"
    older = tmp_path / "older.toml"
    older.write_text("".join(map(to_toml, catalogue.entries()[1:])), encoding="utf-8")
    changed = cli("list", "--since", older, "--names").stdout
    assert changed == f"{catalogue.entries()[0].name}\n"
    told = cli("info", "law-cache-lora-L6").stdout
    assert catalogue.find("law-cache-lora-L6").sha256 in told
    assert RESULTS["embedders"]["law-cache-lora-L6"]["fingerprint"] in told
    assert "LoRAHuggingFaceEncoder(adapter='law-cache-lora-L6')" in told
    absent = cli("info", "law-cache-lora")
    assert absent.exit_code == 0 and "not here; semantic-router-lora adapter pull" in absent.stdout
    assert "nor in the catalogue" in str(cli("info", "nothing").exception)
    pulled = cli("pull", "law-cache-lora-L6").stdout.strip()
    assert Path(pulled) == resolve_adapter("law-cache-lora-L6").folder


def test_the_list_is_light():
    code = (
        "import sys; from semantic_router_lora.cli import app\n"
        "try: app(['adapter', 'list'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'peft', 'semantic_router'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "multi-domain-cache-lora-L12" in done.stdout and "0.044 → 0.089" in done.stdout


def test_the_page_lists_the_catalogue(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    import render_catalogue as page

    block = page.BLOCK.search(page.PAGE.read_text(encoding="utf-8")).group()
    assert page.problems(block) == []
    lines = block.splitlines(keepends=True)
    assert page.problems("".join(line for line in lines if "| law-cache-lora-L6" not in line))
    assert not page.problems("".join(line for line in lines if "| law-cache-lora |" not in line))
    assert page.problems(block.replace("0.072", "0.082"))


def test_entries_are_compared_with_the_files(monkeypatch):
    from dataclasses import replace

    for name in bundled_adapters():
        assert entry_problems(catalogue.find(name), resolve_adapter(name).folder) == []
    entry = catalogue.find("law-cache-lora-L6")
    better = {"law": {"margin": (0.03, 0.5)}, "medical": {"margin": (0.03, 0.5)}}
    wrong = replace(entry, license="mit", domains=("law", "tax"), figures=better)
    assert len(entry_problems(wrong, resolve_adapter(entry.name).folder)) == 4
    monkeypatch.setattr(catalogue, "entries", lambda: (wrong,))
    done = cli("info", entry.name, "--verify")
    assert done.exit_code == 1 and "license: the entry says mit, the files say" in done.stderr


def test_looking_for_what_is_here_asks_no_hub(hub, listed):
    state = local_state("my-law")
    assert state.folder is None and "nothing is downloaded here" in state.reason
    assert hub.requests == []
    pull_adapter("my-law")
    asked = len(hub.requests)
    state = local_state("my-law")
    assert state.fingerprint == RESULTS["embedders"]["law-cache-lora-L6"]["fingerprint"]
    assert len(hub.requests) == asked
