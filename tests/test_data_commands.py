"""Sampling rows of a file, and the commands that merge, split, sample and describe files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from triplet_rows import read, row, write_many
from typer.testing import CliRunner

from semantic_router_lora.cli import app
from semantic_router_lora.data import merge, sample
from semantic_router_lora.data.triplets import read_triplets
from semantic_router_lora.data.words import near_pairs
from semantic_router_lora.data.writing import write_rows
from semantic_router_lora.errors import DataError, InputError


@pytest.fixture
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_many(tmp_path_factory.mktemp("many") / "many.csv")


def test_sample_is_uniform_and_in_order(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [row(f"a{n}", f"b{n}", f"c{n}", domain="law" if n % 2 else "medical") for n in range(10)]
    write_rows(path, rows)
    drawn: Counter[str] = Counter()
    for seed in range(600):
        some = sample.sample_rows(path, 3, seed)
        assert len(some) == 3 and some == [each for each in rows if each in some]
        drawn.update(str(each["anchor"]) for each in some)
    assert len(drawn) == 10
    # 600 draws of 3 of 10: 180 each, standard deviation 11
    assert all(135 < count < 225 for count in drawn.values())
    assert sample.sample_rows(path, 3, 1) == sample.sample_rows(path, 3, 1)
    law = sample.sample_rows(path, 99, 0, "law")
    assert law == [each for each in rows if each["domain"] == "law"]
    with pytest.raises(DataError, match="no triplets of domain 'tax'"):
        sample.sample_rows(path, 3, 0, "tax")
    with pytest.raises(InputError, match="at least one"):
        sample.sample_rows(path, 0, 0)


def test_commands(many, tmp_path):
    def run(*arguments: object) -> str:
        done = CliRunner().invoke(app, ["data", *map(str, arguments)])
        assert done.exit_code == 0, done.output
        return done.output

    whole = tmp_path / "whole.jsonl"
    out = run("merge", many, many, "--output", whole)
    assert out.splitlines()[-2:] == [
        f"left out: {len(read(many))}: {merge.COPY}",
        f"{2 * len(read(many))} read = {len(read(many))} written to {whole} "
        f"+ {len(read(many))} left out",
    ]
    out = run("split", whole, "--output-folder", tmp_path / "parts", "--seed", 3)
    assert "no leak" in out
    parts = sorted((tmp_path / "parts").iterdir())
    assert [part.name for part in parts] == [f"whole.{p}.jsonl" for p in ("dev", "test", "train")]
    assert not list(near_pairs([t.anchor for p in parts for t in read_triplets(p)], 0.95))
    assert "many.csv" in run("stats", many, *parts)
    lines = run("sample", whole, "-n", 4, "--seed", 1, "--domain", "law").splitlines()
    assert [json.loads(line)["domain"] for line in lines] == ["law"] * 4
    run("sample", whole, "-n", 4, "--seed", 1, "--domain", "law", "--output", tmp_path / "s.csv")
    assert [each["anchor"] for each in read(tmp_path / "s.csv")] == [
        json.loads(line)["anchor"] for line in lines
    ]


def test_a_split_says_what_was_compared(many, tmp_path):
    folder = str(tmp_path)
    arguments = ["data", "split", str(many), "--output-folder", folder]
    whole = CliRunner().invoke(app, arguments).output
    assert "no leak and no near-identical pair" in whole
    stream = CliRunner().invoke(app, [*arguments, "--stream"]).output
    assert "no leak" not in stream
    assert "those that differ by more were not looked for" in stream


def test_the_commands_import_no_heavy_package_and_report_errors_on_one_line(tmp_path):
    code = (
        "import sys; from semantic_router_lora.data import merge, sample, writing; "
        "import semantic_router_lora.cli.data; "
        "print({'torch', 'transformers', 'pyarrow', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
    result = CliRunner().invoke(app, ["data", "sample", str(tmp_path / "none.csv"), "-n", "1"])
    assert isinstance(result.exception, DataError) and "no such file" in str(result.exception)
