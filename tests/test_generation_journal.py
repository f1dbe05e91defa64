"""The journal of a generation: kept through cuts and full disks, and refused to another job."""

from __future__ import annotations

import os

import pytest

from semantic_router_lora.errors import DataError, InputError
from semantic_router_lora.generation.journal import Journal


def entries(path, settings=None, rows=10):
    with Journal(path, settings or {"model": "m"}, rows) as journal:
        return {row: journal.entry(row) for row in range(rows) if row in journal}


def test_a_journal_survives_a_cut_at_every_byte(tmp_path):
    path = tmp_path / "a.journal.jsonl"
    with Journal(path, {"model": "m"}, 10) as journal:
        for row in (3, 1, 7):
            journal.append(row, {"answer": f"é\u2028{row}"})
        assert 3 in journal
        assert 0 not in journal
        assert len(journal) == 3
    whole = path.read_bytes()
    starts = [0, *(n + 1 for n, byte in enumerate(whole) if byte == ord("\n"))]
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        lines = sum(start <= size for start in starts[1:])
        expected = {
            row: {"row": row, "answer": f"é\u2028{row}"} for row in (3, 1, 7)[: max(0, lines - 1)]
        }
        assert entries(path) == expected
        with Journal(path, {"model": "m"}, 10) as journal:
            journal.append(9, {"answer": "more"})
        assert entries(path).keys() == {*expected, 9}
    assert not (tmp_path / "a.journal.jsonl.lock").exists()


def test_the_later_entry_counts_and_failed_ones_can_be_forgotten(tmp_path):
    path = tmp_path / "a.journal.jsonl"
    with Journal(path, {"model": "m"}, 10) as journal:
        journal.append(2, {"error": "status 500"})
        journal.append(4, {"error": "status 500"})
        journal.append(2, {"answer": "fine"})
        assert list(journal.failed_rows()) == [4]
        journal.forget(4)
        assert 4 not in journal
    assert entries(path)[2]["answer"] == "fine"


def test_a_journal_of_another_job_is_refused(tmp_path):
    path = tmp_path / "a.journal.jsonl"
    with Journal(path, {"model": "m"}, 10) as journal:
        journal.append(5, {"answer": "x"})
        with pytest.raises(InputError, match="in use by another process"):
            Journal(path, {"model": "m"}, 10)
    with pytest.raises(InputError, match="another job: model was 'm' and is 'n'"):
        entries(path, {"model": "n"})
    with pytest.raises(DataError, match="holds row 5, which the input has not"):
        entries(path, rows=5)
    for other in (b'{"anchor": "a"}\n{"anc', b"one line without an end"):
        path.write_bytes(other)
        with pytest.raises(DataError, match="is no journal"):
            entries(path)
        assert path.read_bytes() == other
    path.write_text('{"journal": "generation journal", "version": 9}\n')
    with pytest.raises(DataError, match="another version"):
        entries(path)


def test_a_full_disk_leaves_whole_lines(tmp_path, monkeypatch):
    write = os.write
    path = tmp_path / "a.journal.jsonl"
    with Journal(path, {"model": "m"}, 10) as journal:
        journal.append(5, {"answer": "x"})
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", lambda file, data: write(file, data[:5]))
            with pytest.raises(OSError, match="No space left on device"):
                journal.append(6, {"answer": "y"})
        assert 6 not in journal
        journal.append(7, {"answer": "z"})
    assert entries(path).keys() == {5, 7}
