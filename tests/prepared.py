"""training/prepare, run once on the small originals among the fixtures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "tests" / "fixtures" / "prepare"
sys.path.insert(0, str(ROOT / "training"))  # where prepare lies


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> tuple[Path, dict]:
    """The rows of every source, and the record of them."""
    from prepare import catalogue, cli

    folder = tmp_path_factory.mktemp("made")
    record = folder / "record.json"
    arguments = ["--raw", str(FIXTURES), "--output", str(folder), "--record", str(record)]
    assert cli.main([*arguments, *catalogue.GITHUB_SOURCES, *catalogue.HUB_SOURCES]) == 0
    return folder, json.loads(record.read_text())
