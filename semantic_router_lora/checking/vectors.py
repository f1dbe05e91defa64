"""Vectors of the adapted model: do they do what vectors of a cache must do."""

from __future__ import annotations

from typing import cast

import numpy as np

from semantic_router_lora.adapters import layout
from semantic_router_lora.base_models import BaseModel
from semantic_router_lora.benchmark.results import BASELINE, BenchmarkResults
from semantic_router_lora.checking.outcome import Outcome, verdict
from semantic_router_lora.checking.subject import Subject
from semantic_router_lora.embedder import Embedder

# Nothing in common: their mean cosine tells whether the model still tells texts apart.
PROBES = (
    "",
    "What are the early symptoms of diabetes?",
    "how do i undo the last git commit",
    "My landlord wants to raise the rent by 20 % next month. Can he?",
    "Best way to fry an egg without it sticking?",
    "flight was cancelled, who pays for the hotel",
    "Why is the sky dark at night although there are so many stars?",
    "SELECT name FROM users WHERE id = 7 returns nothing",
    "I can't sleep before exams and my heart is racing. What helps?",
    "Which bus goes from the station to the museum on Sundays?",
    "Wie lange ist die Kündigungsfrist?",
    "2024-03-01: invoice 7714, 1,299.00 EUR, due in 30 days",
)
TOLERANCE = 1e-5
# Of a model that was trained for sentences it is below 0.2.
MAX_MEAN_COSINE = 0.7


def check_vectors(subject: Subject) -> Outcome:
    """They are finite, of unit length, always the same, and not all alike."""
    base = cast(BaseModel, subject.base_model)
    embedder = Embedder(subject.base or base.name, str(subject.folder), device="cpu")
    vectors = embedder.encode(list(PROBES))
    if not np.isfinite(vectors).all():
        return verdict(["vectors are not finite"], "")
    problems = []
    length = float(np.abs(np.linalg.norm(vectors, axis=1) - 1).max())
    if length > TOLERANCE:
        problems.append(f"a vector's length is off 1 by {length:.1e}")
    again = np.concatenate([embedder.encode([text]) for text in reversed(PROBES)])[::-1]
    difference = float(np.abs(again - vectors).max())
    if difference > TOLERANCE:
        problems.append(f"a text embedded twice gives vectors that differ by {difference:.1e}")
    cosines = (vectors @ vectors.T)[np.triu_indices(len(PROBES), 1)]
    mean = float(cosines.mean())
    if mean > MAX_MEAN_COSINE:
        problems.append(
            f"texts that have nothing in common have a mean cosine of {mean:.2f}: a cache would "
            f"serve any answer to any question"
        )
    if not problems:
        subject.embedder = embedder
    return verdict(
        problems,
        f"finite, of unit length, repeatable within {difference:.0e}; mean cosine of unrelated "
        f"texts {mean:.2f}",
    )


def check_fingerprint(subject: Subject) -> Outcome:
    """The evaluation is of these very weights, on this very base."""
    results = cast(BenchmarkResults, subject.results)
    found = cast(Embedder, subject.embedder).fingerprint
    label = next(name for name in results.embedders if name != BASELINE)
    base = cast(BaseModel, subject.base_model)
    expected = {
        label: found,
        BASELINE: Embedder(subject.base or base.name, device="cpu").fingerprint,
    }
    problems = [
        f"{layout.EVALUATION} was measured with fingerprint {results.embedders[name].fingerprint} "
        f"of {name[:80]}; it is {fingerprint} here: measure again"
        for name, fingerprint in expected.items()
        if results.embedders[name].fingerprint != fingerprint
    ]
    return verdict(problems, f"{found}, as in {layout.EVALUATION}")
