"""Measuring on dev while training: what the best checkpoint is chosen by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers.sentence_transformer.evaluation import SentenceEvaluator

from semantic_router_lora.benchmark.metrics import CURVE_METRICS, curve, margin
from semantic_router_lora.benchmark.similarities import Similarities
from semantic_router_lora.data.triplets import Triplet, read_triplets
from semantic_router_lora.errors import DataError

SCORE = "average_precision"
_RECALL = "recall_at_5_false_hits"


class DevEvaluator(SentenceEvaluator):
    """Average precision, margin and recall at 5 % false hits: of each dev file, and their means.

    The mean average precision decides which checkpoint is best: unlike the margin it does not grow
    when all cosines are merely spread out.

    Raises:
        DataError: if a file cannot be used, or two have the same name.
    """

    def __init__(self, files: tuple[str, ...]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.triplets: dict[str, list[Triplet]] = {}
        for file in files:
            name = Path(file).name.split(".")[0]
            if name in self.triplets:
                raise DataError(f"two dev files are called {name}: their figures need two names")
            self.triplets[name] = read_triplets(Path(file))
        self.primary_metric = SCORE

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: int = -1, steps: int = -1
    ) -> dict[str, float]:
        """The figures of the model as it is now, by name."""
        found = {}
        for name, triplets in self.triplets.items():
            texts = sorted({text for triplet in triplets for text in triplet.texts})
            vectors = model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
            at = dict(zip(texts, np.asarray(vectors, dtype=np.float32), strict=True))
            similarities = Similarities(
                *(
                    np.array([at[t.anchor] @ at[getattr(t, other)] for t in triplets], np.float64)
                    for other in ("positive", "negative")
                )
            )
            once = np.ones((1, len(triplets)))
            counts = curve(similarities, once)
            found[name] = {
                SCORE: float(CURVE_METRICS[SCORE](counts)[0]),
                "margin": float(margin(similarities, once)[0]),
                _RECALL: float(CURVE_METRICS[_RECALL](counts)[0]),
            }
        means = {
            metric: float(np.mean([figures[metric] for figures in found.values()]))
            for metric in (SCORE, "margin", _RECALL)
        }
        return means | {
            f"{name}_{metric}": value
            for name, figures in found.items()
            for metric, value in figures.items()
        }
