"""Vectors of texts that were embedded lately."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.after_fork import renew_after_fork


class VectorCache:
    """The vectors of the texts used last, by exact text.

    Several embedders can share one: entries are kept by fingerprint, so that no embedder is given
    a vector of another. A vector takes 4 bytes a dimension, plus the text. Thread-safe, and safe to
    use on both sides of a fork.

    Args:
        size: most texts that are kept; the one not used for longest makes room.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._vectors: OrderedDict[tuple[str, str], NDArray[np.float32]] = OrderedDict()
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Give a forked process a lock of its own; what is kept stays valid."""
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._vectors)

    def encode(
        self,
        fingerprint: str,
        texts: Sequence[str],
        encode: Callable[[Sequence[str]], NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        """Vectors of texts, of which only those that are not kept are embedded, each once.

        Args:
            fingerprint: of the embedder that `encode` belongs to.
            texts: at least one.
            encode: from texts to float32 (texts, dim).

        Returns:
            float32 (len(texts), dim), in the order of the texts; a copy.
        """
        known: dict[str, NDArray[np.float32]] = {}
        with self._lock:
            for text in texts:
                vector = self._vectors.get((fingerprint, text))
                if vector is not None:
                    known[text] = vector
                    self._vectors.move_to_end((fingerprint, text))
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if missing:
            # outside the lock, which embedding would hold for long: two may embed the same text
            for text, vector in zip(missing, encode(missing), strict=True):
                known[text] = vector.copy()  # not a view, which would keep the whole batch alive
            with self._lock:
                for text in missing:
                    self._vectors[fingerprint, text] = known[text]
                while len(self._vectors) > self._size:
                    self._vectors.popitem(last=False)
        return np.stack([known[text] for text in texts])
