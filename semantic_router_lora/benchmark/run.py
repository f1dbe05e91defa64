"""Running the benchmark: embed every text once with each embedder, then measure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.read import read_info
from semantic_router_lora.adapters.resolve import bundled_adapters, resolve_adapter
from semantic_router_lora.benchmark.metrics import Similarities, measure
from semantic_router_lora.benchmark.results import (
    BenchmarkResults,
    DomainResult,
    EmbedderInfo,
    environment,
)
from semantic_router_lora.benchmark.suite import Suite
from semantic_router_lora.embedder import Embedder
from semantic_router_lora.errors import InputError


def run_benchmark(
    suites: Sequence[Suite],
    *,
    base: str,
    adapters: Sequence[str] | None = None,
    sample_size: int | None = None,
    seed: int = 42,
    device: str = "auto",
    command: str = "",
    show_progress: bool = False,
) -> BenchmarkResults:
    """Measure a base model and adapters on suites.

    Args:
        suites: what to measure on; see `load_suites`.
        base: the baseline, and the base of every adapter.
        adapters: references of adapters; None takes every bundled one.
        sample_size: at most so many triplets of each suite; None takes all.
        seed: of the sample and of the bootstrap.
        device: as for `Embedder`.
        command: what to record as the command that made the results.
        show_progress: draw progress bars.

    Raises:
        InputError: if the sample size is below 1.
        ModelReferenceError, BaseModelError, AdapterError: before anything is measured, if one of
            the models cannot be used.
    """
    if sample_size is not None and sample_size < 1:
        raise InputError(f"sample size is {sample_size}, expected at least 1")
    names = bundled_adapters() if adapters is None else list(adapters)
    embedders = [Embedder(base, name, device=device) for name in (None, *names)]
    sampled = [suite.sample(sample_size, seed) for suite in suites]
    domains = [DomainResult.of(suite) for suite in sampled]
    for number, embedder in enumerate(embedders):
        for domain, similarities in zip(
            domains, _similarities(embedder, sampled, show_progress), strict=True
        ):
            domain.figures[_label(names, number)] = measure(similarities, seed)
    return BenchmarkResults(
        command=command,
        seed=seed,
        base=base,
        embedders={
            _label(names, number): EmbedderInfo(
                embedder.reference, embedder.fingerprint, _domains(names, number)
            )
            for number, embedder in enumerate(embedders)
        },
        domains=domains,
        environment=environment(str(embedders[0].device)),
    )


def _label(names: Sequence[str], number: int) -> str:
    return "baseline" if number == 0 else Path(names[number - 1]).name


def _domains(names: Sequence[str], number: int) -> list[str]:
    """The domains that an adapter was trained on, as its folder tells; empty if it does not."""
    if number == 0:
        return []
    location = resolve_adapter(names[number - 1])
    info = read_info(location.name, location.folder / layout.TRAINING_INFO)
    return sorted(info.get("data", {}).get("domains", {}))


def _similarities(
    embedder: Embedder, suites: Sequence[Suite], show_progress: bool
) -> list[Similarities]:
    """Similarities of each suite; a text that occurs twice is embedded once."""
    texts = sorted(
        {text for suite in suites for triplet in suite.triplets for text in triplet.texts}
    )
    vectors = embedder.encode(texts, show_progress=show_progress)
    row = {text: position for position, text in enumerate(texts)}
    found = []
    for suite in suites:
        anchor, positive, negative = (
            vectors[[row[triplet.texts[part]] for triplet in suite.triplets]] for part in range(3)
        )
        found.append(
            Similarities(
                np.einsum("ij,ij->i", anchor, positive).astype(np.float64),
                np.einsum("ij,ij->i", anchor, negative).astype(np.float64),
            )
        )
    return found
