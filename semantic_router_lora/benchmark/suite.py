"""Sets of triplets to measure on: bundled ones and files of users."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from semantic_router_lora.base_models import file_sha256
from semantic_router_lora.data.triplets import Triplet, read_triplets
from semantic_router_lora.errors import DataError

DOMAINS = ("medical", "law", "programming", "psychology")
# Everyday questions outside the four: what an adapter costs elsewhere.
GENERAL = "general"
BUNDLED = "bundled"
SPLITS = ("test", "dev")
# The reference system measures at most so many triplets, drawn by Python's random after seed(42).
REFERENCE_SAMPLE = 2000
REFERENCE_SEED = 42


@dataclass(frozen=True)
class Suite:
    """The triplets of one domain.

    Attributes:
        domain: what the triplets are about.
        triplets: at least one.
        source: file name that they come from.
        sha256: of that file.
        sampled_from: number of triplets before sampling.
        reference: whether it is one of the reference system's test sets.
    """

    domain: str
    triplets: tuple[Triplet, ...]
    source: str
    sha256: str
    sampled_from: int
    reference: bool = False

    def sample(self, size: int | None, seed: int) -> Suite:
        """At most ``size`` triplets, drawn without replacement; all of them if size is None."""
        if size is None or size >= len(self.triplets):
            return self
        drawn = random.Random(seed).sample(self.triplets, size)
        return replace(self, triplets=tuple(drawn))


def bundled_file(domain: str, split: str) -> Path:
    """The path of a bundled suite; splits are ``test`` and ``dev``."""
    folder = files("semantic_router_lora.benchmark") / "suites"
    return Path(str(folder / f"{domain}.{split}.jsonl"))


def bundled_digests(split: str) -> dict[str, str]:
    """The names of the bundled suites of a split, by the SHA-256 of their files."""
    paths = [bundled_file(domain, split) for domain in (*DOMAINS, GENERAL)]
    return {file_sha256(path): path.name for path in paths}


def load_suites(names: Sequence[str]) -> list[Suite]:
    """Load suites, one for each domain of each file.

    Args:
        names: ``bundled`` or ``bundled:test``, ``bundled:dev``; paths of triplet files; or, for the
            reference system's test sets, ``hub:owner/name[@revision]`` or a folder of their layout
            (see `semantic_router_lora.benchmark.reference`).

    Raises:
        DataError: if a name is unknown or a file cannot be used.
    """
    suites: list[Suite] = []
    for name in names:
        kind, _, split = name.partition(":")
        if kind == BUNDLED:
            if (split or "test") not in SPLITS:
                raise DataError(f"suite {name!r}: the splits are {', '.join(SPLITS)}")
            paths = [bundled_file(domain, split or "test") for domain in (*DOMAINS, GENERAL)]
        elif kind == "hub" or Path(name).is_dir():
            suites.extend(_reference_suites(name))
            continue
        else:
            paths = [Path(name)]
        for path in paths:
            suites.extend(_suites_of_file(path))
    return suites


def _reference_suites(name: str) -> list[Suite]:
    from semantic_router_lora.benchmark.reference import reference_files

    suites = []
    for domain, path in reference_files(name).items():
        triplets = tuple(read_triplets(path))
        digest = file_sha256(path)
        suite = Suite(domain, triplets, path.name, digest, len(triplets), reference=True)
        suites.append(suite.sample(REFERENCE_SAMPLE, REFERENCE_SEED))
    return suites


def _suites_of_file(path: Path) -> list[Suite]:
    by_domain: dict[str, list[Triplet]] = defaultdict(list)
    for triplet in read_triplets(path):
        by_domain[triplet.domain or path.stem].append(triplet)
    digest = file_sha256(path)
    return [
        Suite(domain, tuple(triplets), path.name, digest, len(triplets))
        for domain, triplets in by_domain.items()
    ]
