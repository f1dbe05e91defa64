"""An embedder that takes no time to load, for worker processes: it must import little."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from pathlib import Path

import numpy as np


class Digests:
    """Its vectors are digests of the texts.

    A text "die" kills its process; with a folder to remember it, only once. "fail" raises. "wait"
    takes a while, if there is a folder.
    """

    reference = "digests"
    dtype = "float32"
    dim = 8

    def __init__(self, folder: Path | None, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self._folder = folder
        if folder is not None:
            (folder / f"{os.getpid()}.pid").touch()

    def encode(self, texts):
        for text in texts:
            if text == "fail":
                raise ValueError("a text like no other")
            if text == "die":
                died = self._folder / "died" if self._folder else None
                if died is None or not died.exists():
                    if died is not None:
                        died.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
            if text == "wait" and self._folder:
                time.sleep(0.3)
        return digests(texts)


def digests(texts):
    rows = [np.frombuffer(hashlib.sha256(text.encode()).digest(), "<u4") for text in texts]
    return np.array(rows, dtype=np.float32).reshape(-1, 8)


def load(folder=None, fingerprint="0123456789abcdef"):
    return Digests(folder, fingerprint)
