"""training/prepare: originals from archives and folders, sound, broken and hostile."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import tarfile
from pathlib import Path

import pytest
from prepare import archives, catalogue, cli
from prepare.archives import Originals, open_originals
from prepare.pickles import titles_by_number
from prepare.sources import nl2bash
from prepared import FIXTURES

from semantic_router_lora.errors import DataError


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


def test_originals_hash_does_not_depend_on_names():
    first = Originals(Path("a"), {"a/x": b"1", "a/y": b"2"})
    assert first.sha256 == Originals(Path("b"), {"b/z": b"2", "b/x": b"1"}).sha256
    assert first.sha256 != Originals(Path("a"), {"a/x": b"1"}).sha256
