"""Worker processes that embed blocks; one that dies is replaced, and its blocks are done again."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from semantic_router_lora.corpus.blocks import Block
from semantic_router_lora.corpus.worker import Encoder, Failed, Ready, work
from semantic_router_lora.errors import AdapterMismatchError, DataError, SemanticRouterLoraError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Self

# One to embed and one to go on with while the parent is busy.
_BLOCKS_AT_A_WORKER = 2
# Most deaths of workers at one block, or before they are ready, until the job is given up.
_MOST_DEATHS = 3


@dataclass
class _Worker:
    load: Callable[[], Encoder]
    process: Any
    connection: Connection
    ready: bool = False
    blocks: deque[Block] = field(default_factory=deque)


class WorkerPool:
    """Processes that each hold an embedder of their own. Use it as a context manager.

    Args:
        loads: makes the embedder of each process; must be picklable.
        path: the file that is embedded, for messages.
    """

    def __init__(self, loads: Sequence[Callable[[], Encoder]], path: Path) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._path = path
        self._model: Ready | None = None
        self._failed_starts = 0
        self._deaths: dict[int, int] = {}
        self._again: deque[Block] = deque()
        self._embedded: dict[int, tuple[Block, NDArray[np.float32]]] = {}
        self._loads = loads
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        self._workers = [self._start(load) for load in self._loads]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            worker.process.kill()  # it has nothing that could be lost
            worker.process.join()
            worker.connection.close()

    def model(self) -> Ready:
        """What the embedder is, as soon as one worker has made it.

        Raises:
            Exception: if it cannot be made: why.
        """
        while self._model is None:
            self._receive()
        return self._model

    def embed(self, blocks: Iterable[Block]) -> Iterator[tuple[Block, NDArray[np.float32]]]:
        """Embed blocks.

        Reads no more than three blocks a worker ahead of what it yields.

        Yields:
            Each block with its vectors, float32 (rows, dim), in order.

        Raises:
            DataError: if a row cannot be embedded, with its place.
            SemanticRouterLoraError: if workers keep dying.
        """
        source = iter(blocks)
        order: deque[int] = deque()  # first rows of the blocks that were taken and not yielded
        most = (_BLOCKS_AT_A_WORKER + 1) * len(self._workers)
        while True:
            for worker in self._free_workers():
                block = self._again.popleft() if self._again else None
                if block is None and len(order) < most:
                    block = next(source, None)
                    if block is not None:
                        order.append(block.start)
                if block is None:
                    break
                self._send(worker, block)
            if not order:
                return
            self._receive()
            while order and order[0] in self._embedded:
                yield self._embedded.pop(order.popleft())

    def _free_workers(self) -> Iterator[_Worker]:
        """Workers that can take a block, each as often as it can, the idle ones first."""
        for held in range(_BLOCKS_AT_A_WORKER):
            for worker in list(self._workers):
                if worker.ready and len(worker.blocks) == held:
                    yield worker

    def _start(self, load: Callable[[], Encoder]) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=work, args=(theirs, load), daemon=True)
        process.start()
        theirs.close()  # so that its end closes with the process
        return _Worker(load, process, ours)

    def _send(self, worker: _Worker, block: Block) -> None:
        worker.blocks.append(block)
        try:
            worker.connection.send(block.texts)
        except OSError:
            self._replace(worker)

    def _receive(self) -> None:
        """Wait for messages of workers, and act on them."""
        by_connection = {worker.connection: worker for worker in self._workers}
        for connection in wait(list(by_connection)):
            assert isinstance(connection, Connection)
            worker = by_connection[connection]
            try:
                message = connection.recv()
            except (EOFError, OSError):
                self._replace(worker)
                continue
            if isinstance(message, Ready):
                self._check(message)
                worker.ready = True
            elif isinstance(message, Failed):
                raise self._error(worker, message)
            else:
                block = worker.blocks.popleft()
                self._embedded[block.start] = (block, message)

    def _check(self, model: Ready) -> None:
        self._failed_starts = 0
        self._model = self._model or model
        if model != self._model:
            raise AdapterMismatchError(
                f"{model.reference} is not the same in all processes: fingerprints "
                f"{self._model.fingerprint} and {model.fingerprint}"
            )

    def _replace(self, worker: _Worker) -> None:
        """Start a worker in place of one that died, and have its blocks done again."""
        worker.process.join()
        worker.connection.close()
        ended = f"the last one ended with status {worker.process.exitcode}"
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= _MOST_DEATHS:
                raise SemanticRouterLoraError(f"worker processes die as they start: {ended}")
        elif worker.blocks:
            first = worker.blocks[0]
            self._deaths[first.start] = self._deaths.get(first.start, 0) + 1
            if self._deaths[first.start] >= _MOST_DEATHS:
                raise SemanticRouterLoraError(
                    f"{self._path}:{first.places[0]}-{first.places[-1]}: {_MOST_DEATHS} worker "
                    f"processes died while they embedded these rows; {ended} "
                    f"(-9: killed, perhaps for want of memory)"
                )
        self._again.extendleft(reversed(worker.blocks))
        self._workers[self._workers.index(worker)] = self._start(worker.load)

    def _error(self, worker: _Worker, failure: Failed) -> Exception:
        if not worker.ready:
            return failure.error
        block = worker.blocks[0]
        if failure.row is not None:
            return DataError(f"{self._path}:{block.places[failure.row]}: {failure.error}")
        rows = f"{block.places[0]}-{block.places[-1]}"
        return DataError(f"{self._path}:{rows}: {failure.error}")
