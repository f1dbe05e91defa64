"""The catalogue as commands and the page in docs show it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bundled_results import RESULTS
from typer.testing import CliRunner

from semantic_router_lora.adapters import catalogue
from semantic_router_lora.adapters.catalogue_views import to_toml
from semantic_router_lora.adapters.resolve import bundled_adapters, resolve_adapter
from semantic_router_lora.cli import app
from semantic_router_lora.publishing.entry import entry_problems

ROOT = Path(__file__).parents[1]


def cli(*arguments: str | Path):
    return CliRunner().invoke(app, ["adapter", *map(str, arguments)])


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
    assert "multi-domain-cache-lora-L12" in done.stdout and "0.054 → 0.103" in done.stdout


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
