"""training/prepare: records of the Hub, and originals that are downloaded."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator

import pytest
from prepare import catalogue, cli, download
from prepare.hub import Records, hub_records, local_records
from prepare.rows import Rows
from prepare.sources import faithdial
from prepared import FIXTURES

from semantic_router_lora.data.triplets import read_triplets
from semantic_router_lora.errors import DataError


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
