"""The command line, as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import semantic_router_lora
from semantic_router_lora.benchmark.suite import bundled_file


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "semantic_router_lora", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )


def test_version_and_help():
    assert run("--version").stdout.strip() == semantic_router_lora.__version__
    for command in ([], ["benchmark"], ["benchmark", "report"], ["data", "check"], ["train"]):
        done = run(*command, "--help")
        assert done.returncode == 0, done.stderr
        assert "Usage" in done.stdout


def test_benchmark_writes_json_and_markdown_and_reports_again(tmp_path, adapter_folder):
    done = run(
        *("benchmark", "--suite", "bundled:dev", "--adapter", adapter_folder),
        *("--sample-size", 10, "--seed", 7, "--output", tmp_path / "out"),
    )
    assert done.returncode == 0, done.stderr
    assert "Multi-domain" in done.stdout
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["seed"] == 7
    assert results["command"].startswith("semantic-router-lora benchmark --suite bundled:dev")
    again = run("benchmark", "report", tmp_path / "out" / "results.json")
    assert again.stdout.strip() == (tmp_path / "out" / "results.md").read_text().strip()
    assert not list((tmp_path / "out").glob("*.part"))


def test_data_check_exit_status(tmp_path):
    assert run("data", "check", bundled_file("law", "dev")).returncode == 0
    twice = tmp_path / "twice.jsonl"
    twice.write_text(bundled_file("law", "dev").read_text() * 2)
    done = run("data", "check", twice)
    assert done.returncode == 1
    assert "duplicates: 180" in done.stdout
    assert "FAILED" in done.stdout


def test_errors_are_one_line_on_standard_error(tmp_path):
    done = run("benchmark", "--suite", tmp_path / "none.jsonl")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
