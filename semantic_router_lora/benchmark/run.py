"""Running the benchmark: embed every text once with each embedder, then measure."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.read import read_info
from semantic_router_lora.adapters.resolve import bundled_adapters, resolve_adapter
from semantic_router_lora.benchmark.measure import measure
from semantic_router_lora.benchmark.metrics import curve
from semantic_router_lora.benchmark.operating_point import OperatingPoint, fit_operating_point
from semantic_router_lora.benchmark.results import (
    BASELINE,
    BenchmarkResults,
    Drawing,
    EmbedderInfo,
    SuiteResult,
    environment,
)
from semantic_router_lora.benchmark.similarities import Floats, Similarities, similarities_of
from semantic_router_lora.benchmark.suite import Suite
from semantic_router_lora.embedder import Embedder
from semantic_router_lora.errors import InputError
from semantic_router_lora.reference import ModelReference

HISTOGRAM_EDGES = np.linspace(-0.2, 1.0, 61)
_CURVE_POINTS = 200
# The interval of a slice of fewer triplets says nothing.
_SMALLEST_SLICE = 5


def run_benchmark(
    suites: Sequence[Suite],
    *,
    base: str,
    dev: Sequence[Suite] = (),
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
        dev: suites to choose thresholds and calibration on; those of the same domain are used,
            and without any, the figures at a frozen threshold are left out.
        adapters: references of adapters; None takes every bundled one.
        sample_size: at most so many triplets of each suite; None takes all.
        seed: of the sample and of the bootstrap.
        device: as for `Embedder`.
        command: what to record as the command that made the results.
        show_progress: draw progress bars.

    Raises:
        InputError: if the sample size is below 1, the seed negative, two adapters have one name,
            a domain stands twice, a dev suite belongs to no suite, or one is of the very file that
            is measured on.
        ModelReferenceError, BaseModelError, AdapterError: before anything is measured, if one of
            the models cannot be used.
    """
    if sample_size is not None and sample_size < 1:
        raise InputError(f"sample size is {sample_size}, expected at least 1")
    if seed < 0:
        raise InputError(f"seed is {seed}, expected 0 or more")
    names = bundled_adapters() if adapters is None else list(adapters)
    labels = [BASELINE, *(Path(name).name for name in names)]
    if twice := [label for label, count in Counter(labels).items() if count > 1]:
        raise InputError(f"two adapters are called {twice[0]!r}: rename one")
    embedders = {
        label: Embedder(base, name, device=device)
        for label, name in zip(labels, (None, *names), strict=True)
    }
    sampled = [suite.sample(sample_size, seed) for suite in suites]
    dev_of = pair_with_dev(suites, dev)
    results = [SuiteResult.of(suite, dev_of.get(suite.domain)) for suite in sampled]
    needed = {suite.domain: dev_of[suite.domain] for suite in sampled if suite.domain in dev_of}
    seconds = {"embedding": 0.0, "measuring": 0.0}
    for label, embedder in embedders.items():
        started = time.monotonic()
        texts = [*sampled, *needed.values()]
        found = similarities_of(embedder, texts, show_progress=show_progress)
        embedded = time.monotonic()
        points = {
            domain: fit_operating_point(similarities)
            for domain, similarities in zip(needed, found[len(sampled) :], strict=True)
        }
        measured = zip(sampled, results, found, strict=False)
        for suite, result, similarities in tqdm(
            measured, f"measuring {label}", len(sampled), unit="suite", disable=not show_progress
        ):
            _add(result, label, suite, similarities, points.get(suite.domain), seed)
        seconds["embedding"] += embedded - started
        seconds["measuring"] += time.monotonic() - embedded
    infos = zip(labels, embedders.values(), (None, *names), strict=True)
    # as they were given: results are published, and the place of a folder here is nobody's business
    return BenchmarkResults(
        command=command,
        seed=seed,
        base=base,
        embedders={
            label: EmbedderInfo(
                str(ModelReference(base, name)), embedder.fingerprint, trained_domains(name)
            )
            for label, embedder, name in infos
        },
        suites=results,
        environment=environment(str(embedders[BASELINE].device)) | {"seconds": seconds},
    )


def pair_with_dev(suites: Sequence[Suite], dev: Sequence[Suite]) -> dict[str, Suite]:
    """The dev suite of each domain; one suite and one dev suite belong together anyhow.

    Raises:
        InputError: if a domain stands twice, a dev suite belongs to no suite, or one is of the
            very file that is measured on.
    """
    for kind, group in (("suite", suites), ("dev suite", dev)):
        counts = Counter(suite.domain for suite in group)
        if twice := [domain for domain, count in counts.items() if count > 1]:
            raise InputError(f"domain {twice[0]!r} stands in more than one {kind}")
    measured = {suite.sha256 for suite in suites}
    if same := [suite for suite in dev if suite.sha256 in measured]:
        raise InputError(
            f"{same[0].source} is a suite and a dev suite: thresholds that are chosen on what they "
            f"are measured on look better than they are"
        )
    if len(suites) == len(dev) == 1:
        return {suites[0].domain: dev[0]}
    paired = {suite.domain: suite for suite in dev}
    if unused := sorted(paired.keys() - {suite.domain for suite in suites}):
        raise InputError(
            f"dev domains {unused} belong to no suite; the suites' domains are "
            f"{[suite.domain for suite in suites]}"
        )
    return paired


def _add(
    result: SuiteResult,
    label: str,
    suite: Suite,
    similarities: Similarities,
    point: OperatingPoint | None,
    seed: int,
) -> None:
    result.figures[label] = measure(similarities, seed=seed, point=point)
    result.drawings[label] = _drawing(similarities)
    traps = np.array([triplet.trap or "" for triplet in suite.triplets])
    for trap in sorted(set(traps) - {""}):
        rows = traps == trap
        if rows.sum() >= _SMALLEST_SLICE:
            figures = measure(similarities[rows], seed=seed, point=point)
            result.traps.setdefault(trap, {})[label] = figures
            result.trap_counts[trap] = int(rows.sum())


def trained_domains(adapter: str | None) -> list[str]:
    """The domains that an adapter was trained on, as its folder tells; empty if it does not."""
    if adapter is None:
        return []
    location = resolve_adapter(adapter)
    info = read_info(location.name, location.folder / layout.TRAINING_INFO)
    data = info.get("data")
    domains = data.get("domains") if isinstance(data, dict) else None
    return sorted(domains) if isinstance(domains, dict) else []


def _histogram(cosines: Floats) -> list[int]:
    """Counts; what lies outside, by a rounding error or by far, falls into the outermost bins."""
    inside = np.clip(cosines, HISTOGRAM_EDGES[0], HISTOGRAM_EDGES[-1])
    return [int(count) for count in np.histogram(inside, HISTOGRAM_EDGES)[0]]


def _drawing(similarities: Similarities) -> Drawing:
    counts = curve(similarities, np.ones((1, len(similarities.positive))))
    points = np.unique(
        np.linspace(0, len(counts.thresholds) - 1, _CURVE_POINTS).round().astype(int)
    )
    served = (counts.hits + counts.false_hits)[0] / (2 * counts.total[0, 0])
    return Drawing(
        positive=_histogram(similarities.positive),
        negative=_histogram(similarities.negative),
        hit_ratio=served[points].round(4).tolist(),
        precision=counts.precision[0][points].round(4).tolist(),
    )
