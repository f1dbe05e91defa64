"""What only running an adapter tells: how its base pools, and where it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semantic_router_lora.base_models import resolve_base
from semantic_router_lora.base_settings import POOLING_MODES
from semantic_router_lora.card.examples import Example, dev_suites, find_examples
from semantic_router_lora.card.facts import Facts
from semantic_router_lora.card.fields import mapping, text, whole
from semantic_router_lora.card.stated import OWN_KEY
from semantic_router_lora.embedder import Embedder
from semantic_router_lora.errors import DataError


@dataclass(frozen=True)
class BaseSettings:
    """How the base model makes a vector of a text.

    Attributes:
        pooling: ``mean``, ``cls`` or ``max``.
        max_seq_length: tokens kept of a text; None if the base says nothing.
        lower_case: whether texts are lower-cased first.
    """

    pooling: str
    max_seq_length: int | None
    lower_case: bool

    def to_metadata(self) -> dict[str, Any]:
        """As the card keeps them, since its reader may not have the base."""
        kept: dict[str, Any] = {"pooling": self.pooling}
        if self.max_seq_length is not None:
            kept["max_seq_length"] = self.max_seq_length
        if self.lower_case:
            kept["lower_case"] = True
        return kept


def base_settings_in(metadata: Mapping[str, Any]) -> BaseSettings | None:
    """The settings that a card keeps; None if it keeps none that can be."""
    kept = mapping(mapping(metadata, OWN_KEY), "base")
    pooling = text(kept, "pooling")
    if pooling not in POOLING_MODES:
        return None
    return BaseSettings(pooling, whole(kept, "max_seq_length"), kept.get("lower_case") is True)


def dev_in(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The files of dev triplets, with their SHA-256, that a card says were looked at."""
    kept = mapping(mapping(metadata, OWN_KEY), "dev")
    return {name: digest for name in kept if (digest := text(kept, name))}


@dataclass(frozen=True)
class Observed:
    """What was seen when the adapter ran.

    Attributes:
        settings: of the base.
        dev: SHA-256 of the files of dev triplets that were looked at, by their names.
        examples: near misses that lie closer than the paraphrase.
    """

    settings: BaseSettings
    dev: dict[str, str]
    examples: list[Example]


def observe(folder: Path, facts: Facts, *, base: str | None, dev: Sequence[str]) -> Observed:
    """Run the adapter on dev triplets.

    Args:
        folder: of the adapter.
        facts: of the folder.
        base: where the base lies, if not where the configuration says.
        dev: files of dev triplets; none takes the bundled ones.

    Raises:
        BaseModelError, AdapterError: if base or adapter cannot be used.
        DataError: if a file cannot be used, or evaluation_results.json was measured with an
            encoder that is not this one.
    """
    named = facts.base.name
    if facts.base.revision is not None:
        named += f"@{facts.base.revision}"
    embedder = Embedder(base or named, str(folder))
    found = facts.results
    if found is not None and found.fingerprint != embedder.fingerprint:
        raise DataError(
            f"{folder}: evaluation_results.json was measured with an encoder of fingerprint "
            f"{found.fingerprint}, and this one has {embedder.fingerprint}: run the benchmark again"
        )
    model = resolve_base(base or named)
    settings = BaseSettings(model.pooling, model.max_seq_length, model.lower_case)
    suites = dev_suites(facts, dev)
    files = {suite.source: suite.sha256 for suite in suites}
    return Observed(settings, files, find_examples(embedder, facts, suites))
