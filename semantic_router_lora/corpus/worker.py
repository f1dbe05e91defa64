"""The process that embeds blocks of texts, and what it and its parent say to each other."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Protocol

from semantic_router_lora.errors import SemanticRouterLoraError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Encoder(Protocol):
    """What a worker needs of an `Embedder`."""

    fingerprint: str
    dtype: str

    @property
    def reference(self) -> str:
        """``<base>`` or ``<base>+lora:<adapter>``."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """float32 (len(texts), dim)."""


@dataclass(frozen=True)
class Ready:
    """The first message of a worker: what its embedder is."""

    reference: str
    fingerprint: str
    dim: int
    dtype: str


@dataclass(frozen=True)
class Failed:
    """Something cannot be embedded, or the embedder cannot be made.

    Attributes:
        error: why.
        row: of the block; None if it is not one row that is to blame.
    """

    error: Exception
    row: int | None = None


def load_embedder(
    base: str | None, adapter: str | None, device: str, dtype: Any, processes: int
) -> Encoder:
    """An embedder that takes this process's share of the CPU threads."""
    threads = None
    if processes > 1:
        import torch

        threads = max(1, torch.get_num_threads() // processes)
        # the tokenizer's threads: as many again
        os.environ.setdefault("RAYON_NUM_THREADS", str(threads))
    from tqdm import tqdm

    from semantic_router_lora.embedder import Embedder

    # its own lock is a semaphore of the system, which would outlive a process that is killed
    tqdm.set_lock(threading.RLock())
    return Embedder(base, adapter, device=device, dtype=dtype, threads=threads)


def work(connection: Connection, load: Callable[[], Encoder]) -> None:
    """Embed lists of texts that the parent sends, until it closes the connection or is gone.

    Sends `Ready` or `Failed`, and then, for each list in order, its vectors or `Failed`.
    """
    # Ctrl-C reaches all processes of the terminal; the parent decides what becomes of it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    inbox: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    # Reads while vectors are computed and sent: else both sides could wait for the other to read.
    threading.Thread(target=_receive, args=(connection, inbox), daemon=True).start()
    try:
        encoder = load()
    except Exception as error:
        connection.send(Failed(_sendable(error)))
        return
    connection.send(Ready(encoder.reference, encoder.fingerprint, encoder.dim, encoder.dtype))
    while True:
        texts = inbox.get()
        try:
            answer: Any = encoder.encode(texts)
        except Exception as error:
            answer = _blame(encoder, texts, error)
        connection.send(answer)


def _receive(connection: Connection, inbox: queue.SimpleQueue[list[str]]) -> None:
    while True:
        try:
            inbox.put(connection.recv())
        except (EOFError, OSError):
            os._exit(0)  # whatever it computes, nobody waits for it any more


def _blame(encoder: Encoder, texts: Sequence[str], error: Exception) -> Failed:
    """Find the first text that fails on its own."""
    for row, text in enumerate(texts):
        try:
            encoder.encode([text])
        except Exception as own:
            return Failed(_sendable(own), row)
    return Failed(_sendable(error))


def _sendable(error: Exception) -> Exception:
    """Errors of others need not survive the way to another process."""
    if isinstance(error, SemanticRouterLoraError):
        return error
    return SemanticRouterLoraError(f"{type(error).__name__}: {error}")
