"""Concurrent requests are embedded together, and each gets its own vectors or its own error."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import numpy as np
import pytest
from forking import holds_in_a_fork

from semantic_router_lora.coalescing import Coalescer


class Slow:
    """Stands for a model: takes time, and remembers its batches."""

    def __init__(self, seconds: float = 0.02) -> None:
        self.seconds = seconds
        self.batches: list[list[str]] = []
        self.at_once = 0
        self._lock = threading.Lock()

    def __call__(self, texts):
        assert self._lock.acquire(blocking=False), "two batches at a time"
        try:
            self.batches.append(list(texts))
            time.sleep(self.seconds)
            if "bad" in texts:
                raise ValueError("bad text")
            return np.array([[len(text), hash(text) % 997] for text in texts], dtype=np.float32)
        finally:
            self._lock.release()


def expected(texts):
    return [[len(text), hash(text) % 997] for text in texts]


def test_requests_that_wait_together_make_one_batch():
    model = Slow(0.5)  # longer than it takes to make the requests on a busy machine
    coalescer = Coalescer(model)
    requests = [[f"text {n}"] * (n % 3) + [f"other {n}"] for n in range(64)]

    async def run():
        return await asyncio.gather(*[coalescer.embed(texts) for texts in requests])

    results = asyncio.run(run())
    assert [result.tolist() for result in results] == [expected(texts) for texts in requests]
    assert len(model.batches) == 2  # the first alone and at once, then all others
    assert model.batches[0] == requests[0]


def test_batches_are_bounded_and_so_is_what_waits():
    model = Slow(0.005)
    coalescer = Coalescer(model, max_batch_texts=8, max_waiting_texts=16)
    most = 0

    async def run():
        async def one(number):
            nonlocal most
            result = await coalescer.embed([f"text {number}"])
            most = max(most, coalescer._waiting_texts)
            return result.tolist() == expected([f"text {number}"])

        longer = coalescer.embed([f"long {n}" for n in range(20)])
        results = await asyncio.gather(longer, *[one(number) for number in range(100)])
        return all(results[1:])

    assert asyncio.run(run())
    assert sorted(map(len, model.batches))[-2:] == [8, 20]
    assert most <= 16


def test_one_failing_request_fails_alone():
    coalescer = Coalescer(Slow(0.001))

    async def run():
        texts = [["a"], ["bad"], ["c"], ["d", "bad"], ["e"]]
        return await asyncio.gather(*map(coalescer.embed, texts), return_exceptions=True)

    results = asyncio.run(run())
    assert [type(result) for result in results] == [
        *(np.ndarray, ValueError, np.ndarray, ValueError, np.ndarray)
    ]


def test_a_cancelled_request_is_not_embedded_and_disturbs_no_other():
    model = Slow(0.05)
    coalescer = Coalescer(model)

    async def run():
        first = asyncio.ensure_future(coalescer.embed(["first"]))
        await asyncio.sleep(0.01)
        dropped = asyncio.ensure_future(coalescer.embed(["dropped"]))
        kept = asyncio.ensure_future(coalescer.embed(["kept"]))
        await asyncio.sleep(0)
        dropped.cancel()
        first.cancel()  # too late: it runs
        with pytest.raises(asyncio.CancelledError):
            await dropped
        return await kept

    assert asyncio.run(run()).tolist() == expected(["kept"])
    assert model.batches == [["first"], ["kept"]]


def test_many_threads_with_event_loops_of_their_own():
    coalescer = Coalescer(Slow(0.001))
    good = []

    def loop(thread):
        async def run():
            for number in range(20):
                texts = [f"{thread} {number}"]
                good.append((await coalescer.embed(texts)).tolist() == expected(texts))

        asyncio.run(run())

    threads = [threading.Thread(target=loop, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert good == [True] * 160


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_has_a_thread_of_its_own():
    coalescer = Coalescer(Slow(0.001))
    asyncio.run(coalescer.embed(["before"]))

    def embedded() -> bool:
        result = asyncio.run(asyncio.wait_for(coalescer.embed(["after"]), 5))
        return result.tolist() == expected(["after"])

    assert holds_in_a_fork(embedded)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_starts_anew_before_any_of_its_threads():
    coalescer = Coalescer(Slow(0.001))
    coalescer._running = True  # as while a batch of the parent runs

    def renewed() -> bool:
        return not coalescer._running and coalescer._lock.acquire(timeout=5)

    with coalescer._lock:
        assert holds_in_a_fork(renewed, 10)


def test_a_thread_that_cannot_start_fails_its_requests_and_no_later_one(monkeypatch):
    coalescer = Coalescer(Slow(0.001))
    start = threading.Thread.start

    def fail(thread):
        if thread.name.startswith("embed"):
            raise RuntimeError("can't start new thread")
        start(thread)

    async def run(*texts):
        requests = [asyncio.wait_for(coalescer.embed([text]), 5) for text in texts]
        return await asyncio.gather(*requests, return_exceptions=True)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        assert list(map(str, asyncio.run(run("a", "b")))) == ["can't start new thread"] * 2
    assert [result.tolist() for result in asyncio.run(run("c"))] == [expected(["c"])]
    assert coalescer._waiting_texts == 0
