"""Concurrent requests for a few texts each, embedded together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.after_fork import renew_after_fork

_FULL_WAIT_SECONDS = 0.002


@dataclass(frozen=True)
class _Request:
    texts: list[str]
    future: Future[NDArray[np.float32]]


class Coalescer:
    """Embeds requests that wait at the same time in one batch.

    There is no timer: a request that finds nothing running starts at once, and those that come
    while it runs make up the next batch. So a request waits for at most the batch that is running
    and, if more texts wait than a batch takes, for those that came before it.

    Can be used from any number of threads and event loops, and on both sides of a fork.

    Args:
        encode: from a list of texts to float32 (texts, dim); called in one thread at a time.
        max_batch_texts: most texts of a batch; a longer request is a batch of its own.
        max_waiting_texts: while more texts wait, further requests wait to be let in.
    """

    def __init__(
        self,
        encode: Callable[[Sequence[str]], NDArray[np.float32]],
        max_batch_texts: int = 256,
        max_waiting_texts: int = 16384,
    ) -> None:
        self._encode = encode
        self._max_batch_texts = max_batch_texts
        self._max_waiting_texts = max_waiting_texts
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Start anew: a forked process has neither the threads of its parent nor its requests."""
        self._lock = threading.Lock()
        self._waiting: deque[_Request] = deque()
        self._waiting_texts = 0
        self._running = False
        self._executor = _executor()

    async def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """Embed texts together with those of other requests.

        If the task is cancelled before its batch starts, its texts are not embedded.

        Raises:
            Exception: what `encode` raises for these texts alone.
            RuntimeError: if no thread can be started to embed them; later requests try again.
        """
        import asyncio  # not above: it takes a tenth of an exported folder's cold start

        while self._waiting_texts >= self._max_waiting_texts:
            await asyncio.sleep(_FULL_WAIT_SECONDS)
        request = _Request(texts, Future())
        with self._lock:
            self._waiting.append(request)
            self._waiting_texts += len(texts)
            start = not self._running
            self._running = True
        if start:
            self._start()
        return await asyncio.wrap_future(request.future)

    def _start(self) -> None:
        try:
            self._executor.submit(self._work)
        except BaseException as error:  # for instance, the system gives no more threads
            with self._lock:
                failed = [*self._waiting]
                self._waiting.clear()
                self._waiting_texts = 0
                self._running = False
                # another one, because the work is in the queue of this one, without a thread
                self._executor = _executor()
            for request in failed:
                if request.future.set_running_or_notify_cancel():
                    request.future.set_exception(error)

    def _work(self) -> None:
        while batch := self._take():
            # a cancelled request says so here, and can no longer be cancelled afterwards
            alive = [request for request in batch if request.future.set_running_or_notify_cancel()]
            if alive:
                self._embed(alive)

    def _take(self) -> list[_Request]:
        """The requests of the next batch; none means that the work is done."""
        batch: list[_Request] = []
        count = 0
        with self._lock:
            while self._waiting:
                count += len(self._waiting[0].texts)
                if batch and count > self._max_batch_texts:
                    break
                batch.append(self._waiting.popleft())
                self._waiting_texts -= len(batch[-1].texts)
            self._running = bool(batch)
        return batch

    def _embed(self, requests: list[_Request]) -> None:
        try:
            vectors = self._encode([text for request in requests for text in request.texts])
        except BaseException as error:
            if len(requests) == 1:
                requests[0].future.set_exception(error)
                return
            for request in requests:  # so that only the one that is to blame fails
                self._embed([request])
            return
        start = 0
        for request in requests:
            end = start + len(request.texts)
            request.future.set_result(vectors[start:end])
            start = end


def _executor() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="embed")
