"""Measure what each filter removes of good rows, and of texts with a planted fault.

    cd training && python -m filters.measure

Writes docs/results/filters.json and the tables of README.md here. Embedding all texts takes some
minutes on a CPU.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters import rows
from filters.tables import filled_in
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.benchmark.results import environment
from semantic_router_lora.benchmark.suite import DOMAINS
from semantic_router_lora.data.triplets import TRAPS
from semantic_router_lora.embedder import Embedder
from semantic_router_lora.generation.filters.candidate import NEGATIVE, PARAPHRASE, Candidate
from semantic_router_lora.generation.filters.pipeline import (
    FILTERS,
    FilterPipeline,
    FilterSettings,
)
from semantic_router_lora.generation.prompts import Prompt, load_prompt

RESULTS = Path(__file__).parents[2] / "docs" / "results" / "filters.json"
README = Path(__file__).parent / "README.md"
MARGINS = (0.0, 0.05, 0.1, 0.15, 0.2)
FAR = (0.1, 0.15, 0.2, 0.25, 0.3)
SEED = 42


class Measurement:
    """Runs single filters; every text is embedded once."""

    def __init__(self, prompts: Sequence[Prompt]) -> None:
        self._prompt_texts = [text for prompt in prompts for text in prompt.texts()]
        self._embedder = Embedder(base=DEFAULT_BASE)
        self._vectors: dict[str, NDArray[np.float32]] = {}

    def removed(
        self,
        candidates: Sequence[Candidate],
        names: Sequence[str],
        settings: FilterSettings | None = None,
    ) -> dict[str, float]:
        """Shares of paraphrases and negatives that the named filters remove."""
        settings = settings or FilterSettings()
        pipeline = FilterPipeline(
            replace(settings, disabled=frozenset(FILTERS) - set(names)),
            prompt_texts=self._prompt_texts,
            embed=self._embed,
            cross_encoder=None,
        )
        taken = [removed for _, found in pipeline(candidates) for removed in found]
        counts = {
            PARAPHRASE: sum(len(one.paraphrases) for one in candidates),
            NEGATIVE: sum(len(one.negatives) for one in candidates),
        }
        return {
            kind: round(sum(removed.kind == kind for removed in taken) / count, 4)
            for kind, count in counts.items()
            if count
        }

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        missing = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        vectors = self._embedder.encode(missing, show_progress=len(missing) > 1000)
        self._vectors.update(zip(missing, vectors, strict=True))
        return np.stack([self._vectors[text] for text in texts])


def main() -> None:
    """Measure, and write the results."""
    prompts = [load_prompt(domain) for domain in (*DOMAINS, "generic")]
    measurement = Measurement(prompts)
    good = rows.good_candidates()
    names = [name for name in FILTERS if name != "cross_encoder"]
    found: dict[str, Any] = {
        "command": "cd training && python -m filters.measure",
        "environment": environment("cpu"),
        "py3langid": version("py3langid"),
        "base": DEFAULT_BASE,
        "good": {
            "queries": len(good),
            "paraphrases": sum(len(one.paraphrases) for one in good),
            "negatives": sum(len(one.negatives) for one in good),
            "removed": {name: measurement.removed(good, [name]) for name in names},
            "removed_by_all": measurement.removed(good, names),
        },
        "planted": _planted(measurement, prompts, [one.query for one in good]),
        "far_paraphrase": _far_paraphrases(measurement, good),
        "close_negative": _close_negatives(measurement, good),
    }
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    README.write_text(filled_in(README.read_text(encoding="utf-8"), found), encoding="utf-8")


def _planted(
    measurement: Measurement, prompts: Sequence[Prompt], queries: list[str]
) -> dict[str, Any]:
    written = {
        name: {
            "texts": sum(len(one.paraphrases) for one in planted),
            "caught": measurement.removed(planted, [name.removesuffix("_unseen")])[PARAPHRASE],
        }
        for name, planted in rows.written().items()
    }
    repeated = {}
    for name, planted in rows.repeated().items():
        caught = measurement.removed(planted, [name])
        # one paraphrase of each candidate is planted, the other is to stay
        caught[PARAPHRASE] = round(caught[PARAPHRASE] * len(planted[0].paraphrases), 4)
        repeated[name] = caught
    shortened = [one for prompt in prompts for one in rows.shortened_examples(prompt, queries)]
    return {
        "written": written,
        "repeated": repeated,
        "shortened_examples": measurement.removed(shortened, ["prompt_leak"])[PARAPHRASE],
        "near_misses_as_paraphrases": {
            trap: measurement.removed(planted, ["word_copy"])[PARAPHRASE]
            for trap, planted in sorted(rows.near_misses_as_paraphrases().items())
        },
    }


def _far_paraphrases(measurement: Measurement, good: Sequence[Candidate]) -> list[dict[str, float]]:
    planted = rows.of_other_questions(SEED)
    found = []
    for least in FAR:
        settings = FilterSettings(far_paraphrase=least)
        found.append(
            {
                "least_cosine": least,
                "good_removed": measurement.removed(good, ["far_paraphrase"], settings)[PARAPHRASE],
                "other_questions_caught": measurement.removed(
                    planted, ["far_paraphrase"], settings
                )[PARAPHRASE],
            }
        )
    return found


def _close_negatives(measurement: Measurement, good: Sequence[Candidate]) -> list[dict[str, Any]]:
    """Planted and true near misses are judged beside one paraphrase each; `good` as it is."""
    true, planted = rows.one_paraphrase_each()
    by_trap = {trap: [_only(trap, one) for one in true] for trap in TRAPS}
    found = []
    for overlap in (FilterSettings().close_negative_overlap, 1.0):
        for margin in MARGINS:
            settings = FilterSettings(close_negative_margin=margin, close_negative_overlap=overlap)

            def share(
                candidates: Sequence[Candidate], settings: FilterSettings = settings
            ) -> float:
                return measurement.removed(candidates, ["close_negative"], settings)[NEGATIVE]

            found.append(
                {
                    "margin": margin,
                    "most_overlap": overlap,
                    "planted_caught": share(planted),
                    "true_removed": share(true),
                    "true_removed_by_trap": {trap: share(by_trap[trap]) for trap in TRAPS},
                    "good_removed": share(good),
                }
            )
    return found


def _only(trap: str, candidate: Candidate) -> Candidate:
    negatives = tuple(negative for negative in candidate.negatives if negative[0] == trap)
    return replace(candidate, negatives=negatives)


if __name__ == "__main__":
    main()
