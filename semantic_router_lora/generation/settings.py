"""Everything that decides what a job asks and writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from semantic_router_lora.errors import InputError
from semantic_router_lora.generation.filters.pipeline import FilterSettings
from semantic_router_lora.generation.places import Persistence
from semantic_router_lora.generation.shard import Shard

KEY_VARIABLE = "OPENAI_API_KEY"


def read_thresholds(assignments: Sequence[str]) -> dict[str, float]:
    """Read ``NAME=VALUE`` for fields of `FilterSettings`.

    Raises:
        InputError: if one is of another form, names no threshold, or its value is no number.
    """
    kinds: dict[str, Any] = {one.name: type(one.default) for one in fields(FilterSettings)}
    del kinds["disabled"]
    found: dict[str, float] = {}
    for assignment in assignments:
        name, _, value = assignment.partition("=")
        if name not in kinds:
            raise InputError(f"no threshold {name!r}; there are {', '.join(kinds)}")
        try:
            found[name] = kinds[name](value)
        except ValueError as error:
            wanted = "a whole number" if kinds[name] is int else "a number"
            raise InputError(f"threshold {name} is {value!r}, expected {wanted}") from error
    return found


@dataclass(frozen=True)
class GenerationJob:
    """A file of queries, and what becomes of it.

    Attributes:
        queries: the input file.
        output: where the triplets go; the journal and the reports lie beside it.
        domain: label of the rows; names a bundled prompt, or fills in the generic one.
        model: the name that the endpoints serve the model by.
        endpoints: their base URLs.
        prompt: a prompt file of one's own.
        text_field: field of the input that holds the query.
        shard: the part of the input that this job does.
        paraphrases: how many to ask for.
        temperature: of the model's sampling.
        max_tokens: most tokens of an answer.
        timeout: seconds that an answer may take.
        concurrency: requests in flight at each endpoint.
        persistence: how often to try.
        filters: what the answers go through.
        drop_repeated: leave out texts that stand in the rows of two queries.
        embedder: reference of the model of the filters by meaning; None leaves those out.
        cross_encoder: of the filter of that name; None leaves it out.
        key_variable: environment variable with the key of the endpoints. One that is not the usual
            one must hold a key.
    """

    queries: Path
    output: Path
    domain: str
    model: str
    endpoints: Sequence[str]
    prompt: Path | None = None
    text_field: str | None = None
    shard: Shard = field(default_factory=Shard)
    paraphrases: int = 3
    temperature: float = 0.7
    max_tokens: int = 1024
    timeout: float = 120.0
    concurrency: int = 16
    persistence: Persistence = field(default_factory=Persistence)
    filters: FilterSettings = field(default_factory=FilterSettings)
    drop_repeated: bool = True
    embedder: str | None = None
    cross_encoder: str | None = None
    key_variable: str = KEY_VARIABLE

    def __post_init__(self) -> None:
        for name, least in (("paraphrases", 1), ("concurrency", 1), ("max_tokens", 16)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}, expected at least {least}")
        if not self.timeout > 0:
            raise InputError(f"timeout is {self.timeout}, expected more than 0 seconds")
        if not 0 <= self.temperature <= 2:
            raise InputError(f"temperature is {self.temperature}, expected 0 to 2")
        if not self.domain.strip():
            raise InputError("domain is empty, expected a label for the rows")
        if self.output.suffix != ".jsonl" or self.output.is_dir():
            raise InputError(f"output is {self.output}, expected a file ending in .jsonl")
        written = (self.output, self.journal, self.dropped, self.report)
        for path in (self.queries, self.prompt):
            if path is not None and path.resolve() in {other.resolve() for other in written}:
                raise InputError(f"{path} is the input, and would be written over")

    @property
    def journal(self) -> Path:
        """Where the answers are kept."""
        return self.output.with_suffix(".journal.jsonl")

    @property
    def dropped(self) -> Path:
        """Where everything goes that is not written, with the reason."""
        return self.output.with_suffix(".dropped.jsonl")

    @property
    def report(self) -> Path:
        """Where the counts go."""
        return self.output.with_suffix(".report.json")
