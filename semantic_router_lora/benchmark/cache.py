"""A semantic cache on an index of semantic-router."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.errors import InputError, require

INDEXES = ("local", "qdrant")
# Indexes write slowly and search fast: entries are written so many at a time, and until then
# searched here.
_BUFFER = 256
_GENERATIONS = 4


class IndexCache:
    """Stores (vector, answer) and finds the answer of the closest vector.

    Holds at most ``capacity`` entries in a few indexes of one age each; when it is full, the oldest
    index is dropped, so that memory is bounded however long a stream is.

    Args:
        kind: ``local`` (semantic-router's LocalIndex) or ``qdrant`` (in memory).
        dimensions: length of a vector.
        capacity: most entries, at least 1,024.

    Raises:
        InputError: if the kind is unknown or the capacity too small.
        MissingExtraError: for ``qdrant`` without its client.
    """

    def __init__(self, kind: str, dimensions: int, capacity: int = 10_000) -> None:
        if kind not in INDEXES:
            raise InputError(f"index is {kind!r}, expected one of {', '.join(INDEXES)}")
        if capacity < _BUFFER * _GENERATIONS:
            raise InputError(f"capacity is {capacity}, expected {_BUFFER * _GENERATIONS} or more")
        self._kind = kind
        self._dimensions = dimensions
        self._per_generation = capacity // _GENERATIONS
        self._generations: list[tuple[Any, int]] = []
        self._buffer = np.empty((_BUFFER, dimensions), dtype=np.float32)
        self._buffered: list[tuple[str, str]] = []
        self._new_index()

    def __len__(self) -> int:
        return sum(size for _, size in self._generations) + len(self._buffered)

    def lookup(self, vector: NDArray[np.float32]) -> tuple[float, str] | None:
        """The cosine and the answer of the closest entry; None while the cache is empty.

        Args:
            vector: float32 (dimensions,), of unit length.
        """
        found: list[tuple[float, str]] = []
        if self._buffered:
            cosines = self._buffer[: len(self._buffered)] @ vector
            best = int(cosines.argmax())
            found.append((float(cosines[best]), self._buffered[best][1]))
        for index, size in self._generations:
            if size:
                scores, answers = index.query(vector, top_k=1)
                found.append((float(scores[0]), str(answers[0])))
        return max(found, default=None)

    def store(self, vector: NDArray[np.float32], text: str, answer: str) -> None:
        """Add an entry."""
        self._buffer[len(self._buffered)] = vector
        self._buffered.append((text, answer))
        if len(self._buffered) == _BUFFER:
            self._write()

    def _write(self) -> None:
        index, size = self._generations[-1]
        vectors = [row.copy() for row in self._buffer]
        index.add(
            embeddings=[v.tolist() for v in vectors] if self._kind == "qdrant" else vectors,
            routes=[answer for _, answer in self._buffered],
            utterances=[text for text, _ in self._buffered],
        )
        self._generations[-1] = (index, size + len(self._buffered))
        self._buffered.clear()
        if self._generations[-1][1] + _BUFFER > self._per_generation:
            self._new_index()

    def _new_index(self) -> None:
        if len(self._generations) == _GENERATIONS:
            del self._generations[0]
        self._generations.append((self._make_index(), 0))

    def _make_index(self) -> Any:
        if self._kind == "qdrant":
            require("qdrant_client", "qdrant")
            module = importlib.import_module("semantic_router.index.qdrant")
            name = f"generation-{id(self)}-{len(self._generations)}"
            return module.QdrantIndex(
                index_name=name, location=":memory:", dimensions=self._dimensions
            )
        return importlib.import_module("semantic_router.index.local").LocalIndex()
