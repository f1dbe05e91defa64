"""What the margins of ``semantic-router-lora mine groups`` do to the near misses.

Takes a file of BANKING77 (Casanueva et al. 2020, arXiv 2003.04807, CC BY 4.0) with a text and its
intent in each row, and writes docs/results/mining-banking77.json::

    python training/mining/measure.py banking77.jsonl

``labels``: the near misses that are mined from the 77 intents. ``halves``: each intent is split
into two groups at random, as if they were two intents; a near miss out of the other half is a
paraphrase that nobody labelled.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora import Embedder
from semantic_router_lora.benchmark.results import environment
from semantic_router_lora.mining import MiningOptions, mine_groups, read_groups

BASE = "sentence-transformers/all-MiniLM-L6-v2"
OPTIONS: tuple[dict[str, float], ...] = (
    {"margin": -2.0},
    {"margin": -2.0, "max_score": 0.7},
    {"relative_margin": 0.0},
    {},
    {"margin": 0.1},
    {"margin": 0.1, "min_score": 0.4},
    {"margin": 0.2},
    {"margin": 0.2, "min_score": 0.4},
)
PAIRS = 20
RESULT = Path(__file__).parents[2] / "docs" / "results" / "mining-banking77.json"


class Known:
    """Gives vectors that were computed before."""

    def __init__(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        self.vectors = vectors

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> NDArray[np.float32]:
        """float32 (texts, dim), rows of unit length."""
        return np.stack([self.vectors[text] for text in texts])


def figures(
    groups: Mapping[str, Sequence[str]], intents: Mapping[str, str], known: Known, **options: float
) -> dict[str, float]:
    """Rows, and what their near misses are like."""
    mined = mine_groups(groups, known, MiningOptions(max_pairs_per_group=PAIRS, **options))  # type: ignore[arg-type]
    rows, vectors = mined.triplets, known.vectors
    positive = np.array([vectors[row.anchor] @ vectors[row.positive] for row in rows])
    negative = np.array([vectors[row.anchor] @ vectors[row.negative] for row in rows])
    return {
        "rows": len(rows),
        "hidden_paraphrases": float(
            np.mean([intents[row.anchor] == intents[row.negative] for row in rows])
        ),
        "median_similarity": float(np.median(negative)),
        "below_0.4": float(np.mean(negative < 0.4)),
        "closer_than_positive": float(np.mean(negative > positive)),
    }


def main() -> None:
    """Measure and write."""
    path = Path(sys.argv[1])
    groups = {name: list(texts) for name, texts in read_groups(path).items()}
    intents: dict[str, str] = {}
    for name, texts in groups.items():
        intents.update(dict.fromkeys(texts, name))
    embedder = Embedder(BASE)
    vectors = embedder.encode(list(intents), show_progress=True)
    known = Known(dict(zip(intents, vectors, strict=True)))
    generator = random.Random(0)
    halves: dict[str, list[str]] = {}
    for text, intent in intents.items():
        halves.setdefault(f"{intent}-{generator.random() < 0.5}", []).append(text)
    content: dict[str, Any] = {
        "command": f"python training/mining/measure.py {path.name}",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "fingerprint": embedder.fingerprint,
        "pairs_per_group": PAIRS,
        "questions": len(intents),
        "intents": len(groups),
        **environment("cpu"),
        "runs": [
            {
                "options": options,
                "halves": figures(halves, intents, known, **options),
                "labels": figures(groups, intents, known, **options),
            }
            for options in OPTIONS
        ],
    }
    RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
