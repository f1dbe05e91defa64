"""A second opinion on pairs, by a model that reads both texts together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.errors import BaseModelError, require
from semantic_router_lora.generation.filters.candidate import Candidate, Result, split

# (text, text) → a score from 0 (another meaning) to 1 (the same).
ScorePairs = Callable[[Sequence[tuple[str, str]]], NDArray[Any]]

_ENTAILMENT = "entailment"


class CrossEncoderFilter:
    """Removes paraphrases that are scored too low and negatives that are scored too high.

    Args:
        score: of pairs (query, text).
        least: score that a paraphrase must have.
        most: score that a negative may have.
    """

    name: ClassVar[str] = "cross_encoder"

    def __init__(self, score: ScorePairs, least: float, most: float) -> None:
        self._score = score
        self._least = least
        self._most = most

    def __call__(self, batch: Sequence[Candidate]) -> list[Result]:
        """What is left of each candidate, and what was removed from it."""
        pairs = [(one.query, text) for one in batch for text in one.texts]
        scores = iter(np.asarray(self._score(pairs), dtype=float).tolist() if pairs else ())
        results = []
        for candidate in batch:
            paraphrases = [self._too_low(next(scores)) for _ in candidate.paraphrases]
            negatives = [self._too_high(next(scores)) for _ in candidate.negatives]
            results.append(split(self.name, candidate, (paraphrases, negatives)))
        return results

    def _too_low(self, score: float) -> str | None:
        low = score < self._least
        return f"scored {score:.2f}, at least {self._least:g} wanted" if low else None

    def _too_high(self, score: float) -> str | None:
        high = score > self._most
        return f"scored {score:.2f}, at most {self._most:g} wanted" if high else None


def load_cross_encoder(model: str, *, device: str | None = None) -> ScorePairs:
    """Load a cross-encoder of sentence-transformers.

    One with a single output (duplicate questions, semantic similarity) is asked for its score,
    brought to 0…1. One for inference (NLI) is asked whether each text of a pair entails the other,
    and the lesser probability counts.

    Args:
        model: folder or Hub id.
        device: such as ``cuda:1``; None takes the best there is.

    Raises:
        BaseModelError: if it cannot be loaded, or has other outputs.
        MissingExtraError: without the extra ``train``.
    """
    sentence_transformers: Any = require("sentence_transformers", "train")
    try:
        encoder = sentence_transformers.CrossEncoder(model, device=device)
    except Exception as error:  # a foreign file may provoke anything here
        raise BaseModelError(f"cross-encoder {model} cannot be loaded: {error}") from error
    names = [str(name).lower() for _, name in sorted(encoder.model.config.id2label.items())]
    if len(names) == 1:
        return _single_score(encoder)
    if _ENTAILMENT in names:
        return _mutual_entailment(encoder, names.index(_ENTAILMENT))
    raise BaseModelError(
        f"cross-encoder {model} has the outputs {', '.join(names)}; "
        f"expected a single one, or those of an NLI model with {_ENTAILMENT!r} among them"
    )


def _single_score(encoder: Any) -> ScorePairs:
    import torch

    def score(pairs: Sequence[tuple[str, str]]) -> NDArray[Any]:
        return np.asarray(
            encoder.predict(list(pairs), activation_fn=torch.nn.Sigmoid(), show_progress_bar=False)
        )

    return score


def _mutual_entailment(encoder: Any, entailment: int) -> ScorePairs:
    def score(pairs: Sequence[tuple[str, str]]) -> NDArray[Any]:
        both_ways = [pair for a, b in pairs for pair in ((a, b), (b, a))]
        probabilities = np.asarray(
            encoder.predict(both_ways, apply_softmax=True, show_progress_bar=False)
        )
        lesser: NDArray[Any] = probabilities[:, entailment].reshape(-1, 2).min(axis=1)
        return lesser

    return score
