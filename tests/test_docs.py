"""README and docs: their code runs, their figures are those of committed results."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import semantic_router

ROOT = Path(__file__).parents[1]
BUNDLED = ROOT / "semantic_router_lora" / "adapters" / "bundled"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "training" / "README.md",
    ROOT / "training" / "data" / "README.md",
    ROOT / "training" / "prepare" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(BUNDLED.glob("*/README.md")),
]
PYTHON = re.compile(r"```python\n(.*?)```", re.S)
BLOCKS = [
    pytest.param(code, id=f"{page.name}:{number}")
    for page in PAGES
    for number, code in enumerate(PYTHON.findall(page.read_text(encoding="utf-8")))
]
LINE_OF = {"RouteLayer": "0.0", "SemanticRouter": "0.3", "IndexedRouter": "1"}


@pytest.mark.parametrize("code", BLOCKS)
def test_code_of_the_pages_runs(code, tmp_path, monkeypatch):
    router = next((name for name in LINE_OF if f"import {name}" in code), None)
    if router and not hasattr(semantic_router, router):
        pytest.skip(f"{router} is not in the installed line")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "page", "exec"), {"__name__": "page"})


def test_figures_are_those_of_committed_results():
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "render_results.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
