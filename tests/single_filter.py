"""A pipeline of one filter, and what it removes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from semantic_router_lora.generation.filters.candidate import Candidate
from semantic_router_lora.generation.filters.pipeline import FILTERS, FilterPipeline, FilterSettings

QUERY = "What are the first signs of shingles?"
GOOD = "How do I notice that shingles begins?"
TEXT_FILTERS = tuple(FILTERS)[:8]

MakeFilter = Callable[..., FilterPipeline]


@pytest.fixture(scope="session")
def only() -> MakeFilter:
    """A pipeline of one filter; language models are loaded once."""
    built: dict[str, FilterPipeline] = {}

    def make(name: str, *, prompt_texts: Sequence[str] = (), **thresholds: float) -> FilterPipeline:
        key = repr((name, prompt_texts, thresholds))
        if key not in built:
            built[key] = FilterPipeline(
                FilterSettings(disabled=frozenset(FILTERS) - {name}, **thresholds),  # type: ignore[arg-type]
                prompt_texts=prompt_texts,
                embed=None,
                cross_encoder=None,
            )
        return built[key]

    return make


def removed_paraphrases(pipeline: FilterPipeline, query: str, *texts: str) -> list[str]:
    ((_, removed),) = pipeline([Candidate(query, texts, ())])
    return [one.text for one in removed]


def removed_negatives(
    pipeline: FilterPipeline, query: str, *texts: str, paraphrases: tuple[str, ...] = (GOOD,)
) -> list[str]:
    negatives = tuple(("scope", text) for text in texts)
    ((_, removed),) = pipeline([Candidate(query, paraphrases, negatives)])
    return [one.text for one in removed if one.kind == "negative"]
