"""training/prepare: originals to training triplets, on small originals made for these tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from prepare import catalogue, cli, outputs
from prepare.archives import open_originals
from prepare.rows import Rows, suite_texts
from prepare.sources import nl2bash
from prepare.texts import fault
from prepared import FIXTURES, ROOT

from semantic_router_lora.data.check import check_files
from semantic_router_lora.data.triplets import TRAPS, read_triplets

GITHUB = list(catalogue.GITHUB_SOURCES)
EVERY = [*GITHUB, *catalogue.HUB_SOURCES]


@pytest.mark.parametrize("name", EVERY)
def test_every_source_makes_sound_rows(made, name):
    folder, record = made
    rows = read_triplets(folder / f"{name}.jsonl")
    figures = record[name]
    assert len(rows) == figures["rows"] > 0
    assert figures["read"] == figures["rows"] + sum(figures["dropped"].values())
    for row in rows:
        assert row.source == name
        assert row.domain in ("medical", "law", "programming", "psychology", "general")
        assert row.group
        assert row.trap is None or row.trap in TRAPS
        assert not any(fault(text) for text in row.texts)
    report = check_files([folder / f"{name}.jsonl"])
    assert not report.duplicates
    assert not report.near_identical


def row_of(made, source, start):
    rows = [r for r in read_triplets(made[0] / f"{source}.jsonl") if r.anchor.startswith(start)]
    assert len(rows) == 1
    return rows[0]


def test_rows_are_the_expected_ones(made):
    row = row_of(made, "nl2bash", "Output each line in notes.txt")
    assert row.positive == "Print lines of notes.txt that mention tea"
    assert row.negative == "Print lines of notes.txt that do not mention tea"
    assert row.trap == "negation"
    row = row_of(made, "nl2bash", "Show the five")
    assert row.trap == "number"
    row = row_of(made, "counsel_chat", "She says nothing")
    assert row.positive == "Why is my sister jealous of my new work?"
    row = row_of(made, "staqc", "How to convert rows to columns")
    assert "columns to rows" in row.negative
    assert row.trap == "role"
    row = row_of(made, "lex_glue_case_hold", "A landlord who keeps a deposit")
    assert row.positive.startswith("a landlord who gives no written account")
    assert row.negative.startswith("a landlord may keep")
    row = row_of(made, "code_search_net", "Read all tagged lines")
    assert row.positive == "read tagged lines"


def test_medquad_uses_synonyms_and_knows_psychology(made):
    rows = read_triplets(made[0] / "medquad.jsonl")
    texts = " ".join(text for row in rows for text in row.texts).lower()
    assert "morbus azurensis" in texts
    assert "rkf" in texts
    assert "wrist warts" not in texts  # a topic page's synonyms are narrower topics
    assert "blue fever of the knee" not in texts  # "fever" and "knee" in another order
    domains = {row.group: row.domain for row in rows}
    assert domains["medquad:climacophobia"] == "psychology"
    assert set(domains.values()) == {"psychology", "medical"}
    for row in rows:
        assert row.trap in ("aspect", "entity")


def test_nothing_of_the_rqe_test_set_is_used(made):
    assert made[1]["rqe"]["dropped"]["text in test.xml"] == 1
    assert "coin" not in (made[0] / "rqe.jsonl").read_text()


def test_rows_do_not_depend_on_the_hash_seed_and_check_compares(made, tmp_path):
    record = tmp_path / "record.json"
    for seed in ("1", "77"):
        output = tmp_path / seed
        done = subprocess.run(
            [
                *(sys.executable, "training/prepare", "--raw", FIXTURES),
                *("--output", output, "--record", record, *EVERY),
            ],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "nl2bash: read 14, kept 2" in done.stderr
        for name in EVERY:
            fresh = (output / f"{name}.jsonl").read_bytes()
            assert fresh == (made[0] / f"{name}.jsonl").read_bytes()
    assert json.loads(record.read_text()) == made[1]


def test_check_says_what_differs(made, tmp_path, capsys):
    record = tmp_path / "record.json"
    record.write_text(json.dumps(made[1]))
    arguments = ["--check", "--raw", str(FIXTURES), "--record", str(record), "nl2bash", "rqe"]
    assert cli.main(arguments) == 0
    changed = made[1] | {"rqe": made[1]["rqe"] | {"rows": 7}}
    del changed["nl2bash"]
    record.write_text(json.dumps(changed))
    assert cli.main(arguments) == 1
    said = capsys.readouterr().err
    assert "rqe: rows is 2, committed is 7" in said
    assert "nl2bash: not in the committed outputs" in said
    assert json.loads(record.read_text()) == changed
    record.write_text("[]")
    assert cli.main(arguments) == 1


def test_no_text_of_a_suite_gets_through(tmp_path):
    suite = next(text for text in suite_texts() if 6 < len(text.split()) < 12 and "?" in text)
    near = suite.rstrip("?") + " "
    lines = [suite.upper() + " ?", "count the red boxes in the cellar", "tally red cellar boxes"]
    folder = tmp_path / "nl2bash"
    folder.mkdir()
    (folder / "all.nl").write_text("\n".join([*lines, near]) + "\n")
    (folder / "all.cm").write_text("a\na\nb\na\n")
    rows = Rows("nl2bash", suite_texts())
    nl2bash.make(open_originals(folder, nl2bash.FILES), rows)
    assert rows.dropped["text in a bundled suite"] == 2
    assert rows.fault(suite) == "text in a bundled suite"
    long = next(text for text in suite_texts() if len(set(text.lower().split())) > 24)
    assert rows.add(long + " today", "a few words here", "some other words there")
    rows.read += 1
    assert rows.finish() == []
    assert rows.dropped["nearly a text of a bundled suite"] == 1


def test_rows_refuse_what_does_not_belong_together():
    rows = Rows("x")
    rows.read = 6
    assert rows.add("how to open a door", "opening doors, the way", "how to shut a door")
    assert not rows.add("How to open a door?", "door opening for me", "a third text here")
    assert not rows.add("how to paint a wall", "how to paint a wall", "a third text here")
    assert not rows.add("paint a wall", "wall painting done right", "Paint a wall!")
    assert not rows.add("paint <b>a</b> wall", "wall painting done right", "a third text")
    assert not rows.add("two words", "wall painting done right", "a third text")
    assert len(rows.finish()) == 1
    assert rows.dropped.total() == 5
    rows.read = 7
    with pytest.raises(AssertionError, match="read 7, kept 1, dropped 5"):
        rows.finish()


def test_committed_figures_add_up_and_stand_in_the_readme():
    committed = outputs.read(outputs.COMMITTED)
    assert list(committed) == sorted(GITHUB)
    readme = (outputs.COMMITTED.parent / "README.md").read_text(encoding="utf-8")
    for name, record in committed.items():
        source = catalogue.GITHUB_SOURCES[name]
        assert record["read"] == record["rows"] + sum(record["dropped"].values())
        about = (record["repository"], record["snapshot"], record["licence"])
        assert about == (source.repository, source.snapshot, source.licence)
        line = next(line for line in readme.splitlines() if line.startswith(f"| `{name}` |"))
        assert line.endswith(f"| {record['read']:,} | {record['rows']:,} |")
        assert source.repository in line
        assert source.snapshot in line
    total = sum(record["rows"] for record in committed.values())
    assert f"{total:,} rows" in readme
