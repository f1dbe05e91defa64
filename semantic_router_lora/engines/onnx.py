"""The engine for exported folders: ONNX Runtime, without PyTorch."""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semantic_router_lora.engines.watched import WatchedFile
from semantic_router_lora.errors import BaseModelError, require

if TYPE_CHECKING:
    from numpy.typing import NDArray


class OnnxEngine:
    """Runs graphs of `export.graph` on the CPU, each call on the thread that makes it.

    One thread a call, because threads of ONNX Runtime's own would wait for each other on a busy
    machine; see `engines.workers`. Only `embed_alone` has more. Sessions for batches, and for more
    threads, are made when they are needed; if the files were replaced or deleted by then, single
    texts on one thread go on.

    Args:
        graph: a file.
        single: the graph for one text at a time: alone, it always gives the same bits.
        weights: the file that both take their weights from; it is mapped into memory.
        dim: length of its vectors.
        one_by_one: whether each text is run by itself. In int8, the texts of a run share the
            range that activations are quantised in, so that a text's vector would depend on its
            neighbours (down to a cosine of 0.98).

    Raises:
        BaseModelError: if ONNX Runtime does not accept the files, or it is another graph; in later
            calls, if the file of the weights was written to.
        MissingExtraError: without onnxruntime.
    """

    def __init__(
        self,
        graph: WatchedFile,
        single: WatchedFile,
        weights: WatchedFile,
        *,
        dim: int,
        one_by_one: bool = False,
    ) -> None:
        self.dim = dim
        self._graph, self._single, self._weights = graph, single, weights
        self._one_by_one = one_by_one
        self._for_one = _session(single.path, 1, dim)
        self._for_many: Any = None
        self._on_threads: dict[tuple[int, int], Any] = {}

    def embed(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Embed one batch of token ids; see `Engine`. A text of no tokens gives zeros."""
        if len(batch) == 1:
            return self._embed(self._for_one, batch)
        if self._for_many is None and not self._one_by_one:
            self._for_many = self._later(self._graph, 1)
        if self._for_many is None:
            return np.concatenate([self._embed(self._for_one, [ids]) for ids in batch])
        return self._embed(self._for_many, batch)

    def embed_alone(self, batch: Sequence[Sequence[int]], threads: int) -> NDArray[np.float32]:
        """As `embed`; a single text in a session more, whose threads share the work."""
        if len(batch) > 1:
            return self.embed(batch)
        key = os.getpid(), threads  # a parent's threads do not survive a fork
        if key not in self._on_threads:
            session = self._later(self._single, threads)
            if session is not None:
                _with_threads.add(session)
            self._on_threads[key] = session or self._for_one
        return self._embed(self._on_threads[key], batch)

    def _later(self, graph: WatchedFile, threads: int) -> Any:
        """A session that is made when it is needed; None if its files are not there any more."""
        if not (graph.in_place and self._weights.in_place):
            return None
        session = _session(graph.path, threads, self.dim, keeps_memory=threads > 1)
        return session if graph.in_place and self._weights.in_place else None

    def _embed(self, session: Any, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        if self._weights.written:  # and the runtime sees what was written
            raise BaseModelError(
                f"{self._weights.path} was written to while it was in use: load the model again"
            )
        lengths = np.fromiter(map(len, batch), np.int64, len(batch))
        ids = np.fromiter(chain.from_iterable(batch), np.int64, int(lengths.sum()))
        held = lengths > 0
        if held.all():
            vectors: NDArray[np.float32] = _run(session, ids, lengths)
            return vectors
        vectors = np.zeros((len(batch), self.dim), np.float32)
        if held.any():
            vectors[held] = _run(session, ids, lengths[held])
        return vectors


def _session(path: Path, threads: int, dim: int, *, keeps_memory: bool = False) -> Any:
    runtime: Any = require("onnxruntime", "onnx")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    # Else memory comes from malloc (3 % slower on long texts): the runtime's own is never given
    # back, and its locks may be held by other threads at the moment of a fork.
    options.enable_cpu_mem_arena = keeps_memory
    options.enable_mem_pattern = False
    if threads > 1:  # smaller shares of work, so that no thread waits long for another
        options.add_session_config_entry("session.dynamic_block_base", "4")
    options.log_severity_level = 4  # errors are raised; they need not be printed, too
    try:
        made = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's share no base class
        reason = str(error).strip().splitlines()[0]
        raise BaseModelError(f"{path}: ONNX Runtime cannot load it: {reason}") from error
    inputs = [(value.name, value.type) for value in made.get_inputs()]
    outputs = [(value.name, value.type, value.shape[-1:]) for value in made.get_outputs()]
    expected = [("ids", "tensor(int64)"), ("lengths", "tensor(int64)")]
    if inputs != expected or outputs != [("vectors", "tensor(float)", [dim])]:
        raise BaseModelError(
            f"{path}: the graph maps {inputs} to {outputs}, not ids and lengths to vectors of "
            f"{dim} numbers"
        )
    return made


_with_threads: weakref.WeakSet[Any] = weakref.WeakSet()


def _after_fork() -> None:
    """Keep the parent's sessions for ever: to be freed, they would wait for threads of theirs."""
    for session in _with_threads:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _run(session: Any, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
    vectors: NDArray[np.float32] = session.run(["vectors"], {"ids": ids, "lengths": lengths})[0]
    return vectors
