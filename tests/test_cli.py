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
    assert adapter_folder.name in done.stdout
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["seed"] == 7
    assert results["command"].startswith("semantic-router-lora benchmark --suite bundled:dev")
    again = run("benchmark", "report", tmp_path / "out" / "results.json")
    assert again.stdout.strip() == (tmp_path / "out" / "results.md").read_text().strip()
    assert not list((tmp_path / "out").glob("*.part"))


def test_report_compare_and_limits(tmp_path, adapter_folder):
    suite = ("--suite", bundled_file("law", "dev"), "--sample-size", 10)
    command = ("benchmark", *suite, "--adapter", adapter_folder, "--output", tmp_path)
    done = run(*command, "--fail-under", "margin=2", "--published")
    assert done.returncode == 1
    assert "margin is" in done.stderr
    assert "Published margins" in done.stdout
    page = run("benchmark", "report", tmp_path / "results.json", "--output", tmp_path / "page")
    assert page.returncode == 0, page.stderr
    assert (tmp_path / "page" / "report.html").is_file()
    assert (tmp_path / "page" / "similarities-dark.png").is_file()
    both = run("benchmark", "compare", tmp_path / "results.json", tmp_path / "results.json")
    assert both.returncode == 0 and "equal" in both.stdout


def test_calibrate_and_its_refusal(tmp_path):
    pairs = tmp_path / "pairs.jsonl"
    rows = [(f"pay bill number {n}", f"settle bill number {n}", 1) for n in range(30)]
    rows += [(f"pay bill number {n}", f"feed {n} dogs", 0) for n in range(60)]
    pairs.write_text("".join(json.dumps({"a": a, "b": b, "label": c}) + "\n" for a, b, c in rows))
    done = run("calibrate", pairs, "--max-false-hits", 0.05)
    assert done.returncode == 0, done.stderr
    assert "threshold" in done.stdout and "semantic-router 1.x" in done.stdout
    refused = run("calibrate", bundled_file("law", "dev"), "--max-false-hits", 0.01)
    assert refused.returncode == 1
    assert "at least 299" in refused.stderr


def test_replay(tmp_path, adapter_folder):
    stream = tmp_path / "stream.jsonl"
    stream.write_text('{"text": "file my taxes", "answer": "t"}\n' * 3)
    done = run(
        *("benchmark", "replay", stream, "--adapter", adapter_folder),
        *("--threshold", 0.9, "--output", tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert "66.7%" in done.stdout
    assert (tmp_path / "replay.json").is_file()


def test_the_reference_protocol_takes_the_reference_base(tmp_path):
    (tmp_path / "medical").mkdir()
    row = '{"anchor": "a", "positive": "b", "negative": "c"}'
    (tmp_path / "medical" / "test_set.jsonl").write_text(row)
    done = run("benchmark", "--suite", tmp_path, "--output", tmp_path / "out")
    assert done.returncode == 1
    assert "all-MiniLM-L12-v2 is not in the Hugging Face cache" in done.stderr


def test_an_output_that_is_a_file_is_refused_before_the_work(tmp_path):
    (tmp_path / "taken").write_text("")
    done = run("benchmark", "--sample-size", 5, "--output", tmp_path / "taken")
    assert done.returncode == 1
    assert "cannot be made" in done.stderr and "Traceback" not in done.stderr


def test_data_check_exit_status(tmp_path):
    assert run("data", "check", bundled_file("law", "dev")).returncode == 0
    twice = tmp_path / "twice.jsonl"
    twice.write_text(bundled_file("law", "dev").read_text() * 2)
    done = run("data", "check", twice)
    assert done.returncode == 1
    assert "duplicates: 120" in done.stdout  # 60 pairs and 60 near misses
    assert "FAILED" in done.stdout


def test_errors_are_one_line_on_standard_error(tmp_path):
    done = run("benchmark", "--suite", tmp_path / "none.jsonl")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
