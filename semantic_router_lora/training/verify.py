"""Proof that an adapter folder holds what was trained, from a process that trained nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.errors import AdapterMismatchError

PROBES = (
    "What are the symptoms of diabetes?",
    "hubby 54 bp 160/95 meds??",
    "notice period after 12 years of tenancy",
    "undo the last commit but keep my changes",
)
TOLERANCE = 1e-5

_SCRIPT = """
import json, sys
from semantic_router_lora import Embedder
embedder = Embedder(sys.argv[3], sys.argv[1], device="cpu")
base = Embedder(sys.argv[3], device="cpu")
texts = json.loads(sys.argv[2])
print(json.dumps([embedder.encode(texts).tolist(), base.encode(texts).tolist()]))
"""


def verify_adapter(folder: Path, trained: NDArray[np.float32], base_folder: Path) -> str:
    """Load the folder in a fresh process and compare its vectors with the trainer's and the base's.

    Args:
        folder: the adapter folder.
        trained: float32 (len(PROBES), dim), the trainer's own vectors of `PROBES`.
        base_folder: where the base lies that it was trained on.

    Returns:
        One sentence with both differences.

    Raises:
        AdapterMismatchError: if the vectors are not the trainer's, or are the base's.
    """
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(folder), json.dumps(PROBES), str(base_folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise AdapterMismatchError(f"{folder} does not load again: {reason[0]}")
    loaded, base = (np.asarray(vectors) for vectors in json.loads(done.stdout.splitlines()[-1]))
    off_trainer = float(np.abs(loaded - trained).max())
    off_base = float(np.abs(loaded - base).max())
    if off_trainer > TOLERANCE or off_base <= TOLERANCE:
        raise AdapterMismatchError(
            f"{folder} is not what was trained: its vectors are off the trainer's by "
            f"{off_trainer:.1e} (at most {TOLERANCE:.0e} is right) and off the base's by "
            f"{off_base:.1e} (more is right)"
        )
    return f"equal to the trainer's within {off_trainer:.1e}, off the base's by {off_base:.1e}"
