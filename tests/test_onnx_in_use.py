"""Exported folders that change while they are in use, and short texts on all threads."""

from __future__ import annotations

import gc
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from semantic_router_lora import Embedder
from semantic_router_lora.engines.slots import Slots, slots
from semantic_router_lora.engines.spreading import Spreading
from semantic_router_lora.engines.workers import Workers
from semantic_router_lora.errors import BaseModelError
from semantic_router_lora.export.folder import GRAPH, SINGLE, WEIGHTS

TEXT = ["where is my parcel"]


def replaced(folder: Path) -> None:
    """By a folder of the same name with another model, as an export with --overwrite does."""
    other = folder.with_name("other")
    shutil.copytree(folder, other)
    weights = bytearray((other / WEIGHTS).read_bytes())
    weights[: len(weights) // 2] = bytes(len(weights) // 2)
    (other / WEIGHTS).write_bytes(weights)
    folder.rename(folder.with_name("old"))
    other.rename(folder)


@pytest.mark.parametrize("batches", [False, True])
@pytest.mark.parametrize("change", [replaced, shutil.rmtree], ids=["replaced", "deleted"])
def test_what_was_loaded_stays(copied_export, monkeypatch, change: Callable[[Path], None], batches):
    embedder = Embedder(str(copied_export), threads=2)
    monkeypatch.setattr(Spreading, "_choose", lambda *_: False)
    before = embedder.encode(TEXT)
    two = embedder.encode([*TEXT, "hello"]) if batches else None
    change(copied_export)
    monkeypatch.setattr(Spreading, "_choose", lambda *_: True)  # which needs one more session
    for _ in range(3):
        np.testing.assert_array_equal(embedder.encode(TEXT), before)
    found = embedder.encode([*TEXT, "hello"])
    np.testing.assert_allclose(found[:1], before, atol=1e-6)
    if two is not None:
        np.testing.assert_array_equal(found, two)


@pytest.mark.parametrize("size", [0, 4096], ids=["cut", "overwritten"])
def test_weights_that_are_written_to_are_an_error(copied_export, size):
    embedder = Embedder(str(copied_export), threads=2)
    embedder.encode(TEXT)
    if size:
        with (copied_export / WEIGHTS).open("r+b") as file:
            file.write(bytes(size))
    else:
        os.truncate(copied_export / WEIGHTS, 0)
    with pytest.raises(BaseModelError, match=r"weights\.bin was written to while it was in use"):
        embedder.encode(TEXT)


@pytest.mark.parametrize("name", [GRAPH, SINGLE])
@pytest.mark.parametrize("texts", [TEXT, [*TEXT, "hello"]], ids=["one", "two"])
def test_a_graph_that_is_written_to_is_not_loaded_again(copied_export, monkeypatch, name, texts):
    embedder = Embedder(str(copied_export), threads=2)
    monkeypatch.setattr(Spreading, "_choose", lambda *_: True)
    (copied_export / name).write_bytes(b"no graph")
    np.testing.assert_allclose(np.linalg.norm(embedder.encode(texts), axis=1), 1, atol=1e-5)


def test_files_are_closed_with_the_embedder(copied_export):
    def opened() -> int:
        return sum(copied_export.resolve() in one.resolve().parents for one in open_files.iterdir())

    open_files = Path("/proc/self/fd")
    if not open_files.is_dir():
        pytest.skip("this system does not say what is open")
    embedder = Embedder(str(copied_export), threads=1)
    assert opened() == 3
    del embedder
    gc.collect()
    assert opened() == 0


@pytest.mark.parametrize("uses_torch", [False, True])
def test_no_more_threads_are_busy_than_allowed(monkeypatch, uses_torch):
    workers = Workers(3, uses_torch=uses_torch)
    monkeypatch.setattr(Spreading, "_choose", lambda *_: True)
    lock, busy, most = threading.Lock(), 0, 0
    ways = set()

    def work(count: int) -> None:
        nonlocal busy, most
        with lock:
            ways.add(count)
            busy += count
            most = max(most, busy)
        threading.Event().wait(0.002)
        with lock:
            busy -= count

    def call() -> None:
        for tokens in [5] * 20 + [500]:
            list(workers.map(lambda _: work(1), [0], tokens, lambda _, count: work(count)))

    callers = [threading.Thread(target=call) for _ in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    call()
    assert (most, ways) == (3, {1, 3})
    assert slots(3).idle


def test_whoever_needs_all_is_not_passed_over():
    shared = Slots(2)
    order: list[str] = []
    got, go_on = threading.Event(), threading.Event()

    def one(name: str) -> None:
        with shared.taken():
            order.append(name)
            if name == "first":
                got.set()
                go_on.wait(10)

    def every() -> None:
        with shared.taken(every=True):
            order.append("all")

    first = threading.Thread(target=one, args=("first",))
    first.start()
    got.wait(10)
    waiting = threading.Thread(target=every)
    waiting.start()
    while not shared._turn.locked():
        pass
    late = threading.Thread(target=one, args=("late",))
    late.start()
    go_on.set()
    for thread in (first, waiting, late):
        thread.join(10)
    assert order == ["first", "all", "late"]
