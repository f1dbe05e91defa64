"""training/prepare: originals to training triplets, on small originals made for these tests."""

from __future__ import annotations

import http.server
import io
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))

from prepare import archives, catalogue, cli, download, outputs
from prepare.archives import Originals, open_originals
from prepare.hub import Records, hub_records, local_records
from prepare.pickles import titles_by_number
from prepare.rows import Rows, suite_texts
from prepare.sources import faithdial, nl2bash
from prepare.texts import fault

from semantic_router_lora.data.check import check_files
from semantic_router_lora.data.triplets import TRAPS, read_triplets
from semantic_router_lora.errors import DataError

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "tests" / "fixtures" / "prepare"
GITHUB = list(catalogue.GITHUB_SOURCES)
EVERY = [*GITHUB, *catalogue.HUB_SOURCES]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("made")
    record = folder / "record.json"
    arguments = ["--raw", str(FIXTURES), "--output", str(folder), "--record", str(record)]
    assert cli.main([*arguments, *EVERY]) == 0
    return folder, json.loads(record.read_text())


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


# --- texts and meaning ----------------------------------------------------------------------


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.write_text, (self.path, "was run"))


def test_pickles_are_refused_before_anything_runs(tmp_path):
    trace = tmp_path / "trace"
    good = {1: "a title", 2: "another"}
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert titles_by_number(pickle.dumps(good, protocol), "x") == good
        with pytest.raises(DataError, match=r"bad\.pickle: refused: "):
            titles_by_number(pickle.dumps({1: Malicious(trace)}, protocol), "bad.pickle")
    for bad in (b"cos\nsystem\n(S'touch x'\ntR.", b"c__builtin__\neval\n(S'1'\ntR."):
        with pytest.raises(DataError, match="refused"):
            titles_by_number(bad, "bad.pickle")
    for other in ([1], {}, {"1": "a"}, {1: 2}, {True: "b"}, {1: b"a"}, {1: {2: "x"}}):
        with pytest.raises(DataError, match=r"bad\.pickle"):
            titles_by_number(pickle.dumps(other, 2), "bad.pickle")
    for broken in (b"", b"(dp0\n", pickle.dumps(good)[:-4], b"not a pickle", b"I1\n.", b"g7\n."):
        with pytest.raises(DataError, match=r"bad\.pickle"):
            titles_by_number(broken, "bad.pickle")
    assert not trace.exists()


def tar(path: Path, *members: tuple[tarfile.TarInfo | str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


def test_archives_are_read_as_folders_are(tmp_path, made):
    for folder in ("nl2bash", "MedQuAD"):
        with tarfile.open(tmp_path / f"{folder}.tar.gz", "w:gz") as archive:
            archive.add(FIXTURES / folder, arcname=f"{folder}-0123abc")
    record = tmp_path / "record.json"
    arguments = ["--raw", str(tmp_path), "--output", str(tmp_path / "out")]
    assert cli.main([*arguments, "--record", str(record), "nl2bash", "medquad"]) == 0
    found = json.loads(record.read_text())
    assert found == {name: made[1][name] for name in ("nl2bash", "medquad")}


def test_hostile_archives(tmp_path, monkeypatch):
    wanted = nl2bash.FILES
    path = tar(
        tmp_path / "a.tar.gz",
        ("../../all.nl", b"a b c\n"),
        (special("all.cm", tarfile.SYMTYPE, "/etc/passwd"), b""),
        (special("x/all.cm", tarfile.LNKTYPE, "../../all.nl"), b""),
        (special("y/all.cm", tarfile.CHRTYPE), b""),
    )
    before = sorted(tmp_path.rglob("*"))
    assert open_originals(path, wanted).files == {"../../all.nl": b"a b c\n"}
    assert sorted(tmp_path.rglob("*")) == before
    monkeypatch.setattr(archives, "MAX_FILE", 1000)
    big = tar(tmp_path / "big.tar.gz", ("all.nl", b"0" * 1001))
    with pytest.raises(DataError, match=r"big\.tar\.gz: all\.nl has 1,001 bytes"):
        open_originals(big, wanted)
    monkeypatch.setattr(archives, "MAX_TOTAL", 1500)
    sum_ = tar(tmp_path / "sum.tar.gz", ("a/all.nl", b"0" * 900), ("b/all.nl", b"0" * 900))
    with pytest.raises(DataError, match="more than 1,500 bytes"):
        open_originals(sum_, wanted)
    monkeypatch.setattr(archives, "MAX_STREAM", 5000)
    with pytest.raises(DataError, match="too many or too large"):
        open_originals(tar(tmp_path / "bomb.tar.gz", ("unwanted", b"0" * 5001)), wanted)
    monkeypatch.setattr(archives, "MAX_MEMBERS", 1)
    with pytest.raises(DataError, match="too many or too large"):
        open_originals(tar(tmp_path / "many.tar.gz", ("a", b""), ("b", b"")), wanted)


@pytest.mark.parametrize("kind", ["text", "cut", "empty", "missing", "foreign", "twice"])
def test_archives_that_are_none(tmp_path, kind):
    path = tmp_path / "nl2bash.tar.gz"
    whole = tar(tmp_path / "whole.tar.gz", ("all.nl", os.urandom(9000))).read_bytes()
    if kind == "foreign":
        tar(path, ("readme", b"x"))
    elif kind == "twice":
        tar(path, ("all.nl", b"x"), ("all.nl", b"y"))
    elif kind != "missing":
        path.write_bytes({"text": b"no tar", "cut": whole[:4000], "empty": b""}[kind])
    with pytest.raises(DataError, match=r"nl2bash\.tar\.gz"):
        open_originals(path, nl2bash.FILES)


XML = b'<?xml version="1.0"?>'
BAD = [
    ("nl2bash", "data/bash/all.cm", b"ls\n", "all.nl has 14 lines and all.cm 1"),
    ("nl2bash", "data/bash/all.nl", b"\xff\xfe\n", "all.nl: not UTF-8"),
    ("nl2bash", "data/bash/all.nl", None, "expected one file matching"),
    ("rqe", "RQE_Train_8588_AMIA2016.xml", b"<pair>", "not valid XML"),
    ("rqe", "RQE_Train_8588_AMIA2016.xml", XML + b"<x/>", "holds no pairs"),
    ("rqe", "RQE_Train_8588_AMIA2016.xml", XML + b"<x><pair pid='9'/></x>", "pair 9 lacks"),
    ("rqe", "RQE_Train_8588_AMIA2016.xml", XML + b"<!DOCTYPE x><x/>", "declares entities"),
    ("rqe", "RQE_Test_302_pairs_AMIA2016.xml", None, "expected one file matching"),
    ("counsel_chat", "data/20200325_counsel_chat.csv", b"a,b\n1,2\n", "no column questionID"),
    ("counsel_chat", "data/20200325_counsel_chat.csv", b"\xff", "not UTF-8"),
    ("medquad", "1_Diseases_QA/0000001.xml", b"<Document>", "0000001.xml: not valid XML"),
    ("medquad", "1_Diseases_QA/0000001.xml", XML + b"<html/>", "expected a Document, found html"),
    ("medquad", "1_Diseases_QA/0000001.xml", XML + b"<!DOCTYPE x><Document/>", "entities"),
    ("staqc", "sql_titles.pickle", b"(dp0\n", "not a readable pickle"),
    ("tldr", "pages/common/boxit.md", b"no heading\n", "expected a page opening"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "file", "content", "message"), BAD)
def test_bad_originals_name_file_and_reason(tmp_path, capsys, name, file, content, message):
    folder = catalogue.GITHUB_SOURCES[name].repository.split("/")[1]
    shutil.copytree(FIXTURES / folder, tmp_path / folder)
    path = tmp_path / folder / file
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    record = tmp_path / "record.json"
    arguments = ["--raw", str(tmp_path), "--output", str(tmp_path / "out"), name]
    assert cli.main([*arguments, "--record", str(record)]) == 1
    said = capsys.readouterr().err
    assert message in said
    assert folder in said
    assert not record.exists()
    assert not list(tmp_path.glob("out/*"))


def test_folders_without_originals(tmp_path, capsys):
    assert cli.main(["--raw", str(tmp_path), "rqe"]) == 1
    assert "holds neither RQE_Data_AMIA2016.tar.gz nor" in capsys.readouterr().err
    assert cli.main(["--raw", str(tmp_path / "none"), "rqe"]) == 1
    assert "none: no such folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["unknown"])


# --- records of the Hub ---------------------------------------------------------------------


def test_records_from_jsonl_parquet_or_anywhere(tmp_path, made):
    parquet = pytest.importorskip("pyarrow.parquet")
    pyarrow = pytest.importorskip("pyarrow")
    lines = (FIXTURES / "faithdial" / "train.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    (tmp_path / "faithdial" / "data").mkdir(parents=True)
    table = pyarrow.Table.from_pylist(records)
    parquet.write_table(table, tmp_path / "faithdial" / "data" / "0.parquet")
    expected = read_triplets(made[0] / "faithdial.jsonl")
    for source in (local_records(tmp_path, "faithdial"), Records(iter(records), "mine")):
        rows = Rows("faithdial")
        faithdial.make(source, rows)
        assert rows.finish() == expected
        assert source.sha256 == made[1]["faithdial"]["originals_sha256"]


def test_bad_records(tmp_path):
    for record, message in (({}, "dialog_idx"), ({"dialog_idx": 1}, "knowledge"), (7, "no object")):
        with pytest.raises(DataError, match=rf"mine: record 1.*{message}"):
            faithdial.make(Records([record], "mine"), Rows("faithdial"))
    with pytest.raises(DataError, match=r"holds no \.jsonl or \.parquet"):
        local_records(tmp_path, "faithdial")
    (tmp_path / "faithdial").mkdir()
    (tmp_path / "faithdial" / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"a\.parquet: not valid Parquet"):
        list(local_records(tmp_path, "faithdial"))


def test_the_hub_out_of_reach_is_one_clear_error():
    pytest.importorskip("datasets")
    records = hub_records("nobody/nothing", None, "main")
    with pytest.raises(DataError, match=r"nobody/nothing@main cannot be loaded: .*--raw"):
        list(records)


# --- downloads ------------------------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the fixtures; paths with `cut` break off, the first request of `moody` does."""

    asked: list[str] = []  # noqa: RUF012

    def do_GET(self):
        Handler.asked.append(self.path)
        file = FIXTURES / self.path.split("/raw/")[-1].split("/", 1)[-1]
        found = list(FIXTURES.rglob(file.name))
        if "missing" in self.path or not found:
            self.send_error(404)
            return
        content = found[0].read_bytes()
        cut = "cut" in self.path or ("moody" in self.path and len(Handler.asked) == 1)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content) + (5 if cut else 0)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Handler.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_downloads_end_whole_or_not_at_all(server, tmp_path):
    said: list[str] = []
    path = tmp_path / "cache" / "all.nl"
    download.fetch(f"{server}/all.nl", path, said.append)
    assert path.read_bytes() == (FIXTURES / "nl2bash" / "data" / "bash" / "all.nl").read_bytes()
    assert re.match(r"downloading http://.*/all\.nl \(\d+ bytes\)", said[0])
    download.fetch(f"{server}/all.nl", path, said.append)
    assert len(Handler.asked) == 1  # what is there is not asked for again
    other = tmp_path / "cache" / "other"
    with pytest.raises(DataError, match=r"cut/all\.nl cannot be downloaded: cut short.*--raw"):
        download.fetch(f"{server}/cut/all.nl", other, said.append, pause=0)
    assert len(Handler.asked) == 1 + download.ATTEMPTS
    with pytest.raises(DataError, match=r"missing/all\.nl cannot be downloaded: .*404.*--raw"):
        download.fetch(f"{server}/missing/all.nl", other, said.append, pause=0)
    assert len(Handler.asked) == 2 + download.ATTEMPTS  # asked once only
    with pytest.raises(DataError, match=r"127\.0\.0\.1:9/x cannot be downloaded: .*--raw"):
        download.fetch("http://127.0.0.1:9/x", other, said.append, pause=0)
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "cache", path]


def test_a_cut_connection_is_tried_again(server, tmp_path):
    said: list[str] = []
    download.fetch(f"{server}/moody/all.cm", tmp_path / "all.cm", said.append, pause=0)
    assert "trying again (2 of 3)" in " ".join(said)
    assert [file.name for file in tmp_path.iterdir()] == ["all.cm"]


def test_a_run_without_raw_downloads(server, tmp_path, monkeypatch, made, capsys):
    monkeypatch.setattr(catalogue, "GITHUB", server)
    arguments = ["--originals", str(tmp_path / "cache"), "--output", str(tmp_path / "out")]
    assert cli.main([*arguments, "--record", str(tmp_path / "r.json"), "nl2bash", "rqe"]) == 0
    assert "downloading http://127" in capsys.readouterr().err
    record = json.loads((tmp_path / "r.json").read_text())
    assert record == {name: made[1][name] for name in ("nl2bash", "rqe")}
    assert "/TellinaTool/nl2bash/raw/466c5fe873/data/bash/all.nl" in Handler.asked
    archive = catalogue.GITHUB_SOURCES["medquad"].urls
    assert archive == (f"{server}/abachaa/MedQuAD/archive/577bd37b96.tar.gz",)


# --- what is committed ----------------------------------------------------------------------


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


def test_originals_hash_does_not_depend_on_names():
    first = Originals(Path("a"), {"a/x": b"1", "a/y": b"2"})
    assert first.sha256 == Originals(Path("b"), {"b/z": b"2", "b/x": b"1"}).sha256
    assert first.sha256 != Originals(Path("a"), {"a/x": b"1"}).sha256
