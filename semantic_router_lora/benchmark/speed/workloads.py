"""The texts that encoders are timed on, made of the bundled suites."""

from __future__ import annotations

import random
from dataclasses import dataclass

from semantic_router_lora.benchmark.suite import BUNDLED, load_suites

QUERIES = 2000
TEXTS = 1000
SINGLE_QUERIES = 200
CALLERS = 64


@dataclass(frozen=True)
class Workloads:
    """Texts of each workload.

    Attributes:
        queries: A: 2,000 queries of 5 to 20 words, in one call.
        texts: B: 1,000 texts of 5 to 200 words, in one call; as many of 5 to 32 words as of 32 to
            200, since short texts are the common ones.
        single: C: queries of 12 words, one a call.
        concurrent: D: 64 queries of 5 to 20 words, a caller each.
    """

    queries: list[str]
    texts: list[str]
    single: list[str]
    concurrent: list[str]


def make_workloads(scale: float = 1.0, seed: int = 42) -> Workloads:
    """The same texts on every machine.

    Numbers of words are uniform between their bounds; of B, their logarithms are.

    Args:
        scale: share of the texts of A and B that is kept, for slow machines.
        seed: of lengths and texts.
    """
    generator = random.Random(seed)
    words: list[str] = []
    for suite in load_suites([BUNDLED]):
        for triplet in suite.triplets:
            for text in triplet.texts:
                words += text.split()
    # runs of real words, cut at the wanted length: vocabulary and word pieces are those of queries
    start = generator.randrange(len(words))

    def run_of(count: int) -> str:
        nonlocal start
        start = (start + count) % (len(words) - 200)
        return " ".join(words[start : start + count])

    return Workloads(
        queries=[run_of(generator.randint(5, 20)) for _ in range(max(1, round(scale * QUERIES)))],
        texts=[
            run_of(round(5 * 40 ** generator.random())) for _ in range(max(1, round(scale * TEXTS)))
        ],
        single=[run_of(12) for _ in range(SINGLE_QUERIES)],
        concurrent=[run_of(generator.randint(5, 20)) for _ in range(CALLERS)],
    )
