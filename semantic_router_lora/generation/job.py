"""A job: ask a model about a file of queries, and write what comes of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_router_lora.errors import InputError
from semantic_router_lora.generation.asking import Asking, Persistence
from semantic_router_lora.generation.endpoints import Endpoint
from semantic_router_lora.generation.filters.pipeline import FilterPipeline, FilterSettings
from semantic_router_lora.generation.journal import Journal
from semantic_router_lora.generation.prompts import Prompt, answer_schema, load_prompt
from semantic_router_lora.generation.queries import QueryFile, Shard, scan_queries
from semantic_router_lora.generation.report import GenerationReport
from semantic_router_lora.generation.writing import write_answers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class GenerationJob:
    """Everything that decides what a job asks and writes.

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
        key_variable: environment variable with the key of the endpoints.
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
    key_variable: str = "OPENAI_API_KEY"

    def __post_init__(self) -> None:
        for name, least in (("paraphrases", 1), ("concurrency", 1), ("max_tokens", 16)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}, expected at least {least}")
        if not self.timeout > 0:
            raise InputError(f"timeout is {self.timeout}, expected more than 0 seconds")
        if not 0 <= self.temperature <= 2:
            raise InputError(f"temperature is {self.temperature}, expected 0 to 2")
        if self.output.suffix != ".jsonl":
            raise InputError(f"output is {self.output}, expected a file ending in .jsonl")
        if self.output.resolve() == self.queries.resolve():
            raise InputError(f"{self.output} is the input")

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


def generate(
    job: GenerationJob,
    *,
    resume: bool = False,
    retry_failed: bool = False,
    ask: bool = True,
    show_progress: bool = False,
) -> GenerationReport | None:
    """Do a job.

    Args:
        job: what to ask and write.
        resume: go on with the journal of an unfinished job, if there is one.
        retry_failed: ask again what failed in an earlier run.
        ask: send requests; False only filters and writes what the journal holds.
        show_progress: draw progress bars on standard error.

    Returns:
        The counts, or None after a Ctrl-C: what came back is in the journal.

    Raises:
        InputError: if an option is out of range, or there is a journal and no ``resume``.
        DataError: if the input, the prompt or the journal cannot be used.
        EndpointError: if no endpoint is left; the job can be resumed.
        MissingExtraError: without the extra ``generate``.
    """
    prompt = load_prompt(job.domain, job.prompt)
    endpoints = _endpoints(job) if ask else []
    if job.journal.exists() and not resume and ask:
        raise InputError(
            f"{job.journal} holds the answers of an earlier run: go on with --resume, or choose "
            f"another output"
        )
    if not ask and not job.journal.exists():
        raise InputError(f"{job.journal}: there are no answers to filter")
    pipeline = _filters(job, prompt)  # before anything is paid for: it may lack a model
    queries = scan_queries(job.queries, job.text_field, job.shard)
    try:
        job.output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{job.output.parent} cannot be made: {error.strerror}") from error
    with Journal(job.journal, _settings(job, queries, prompt), len(queries)) as journal:
        if retry_failed:
            for row in list(journal.failed_rows()):
                journal.forget(row)
        if ask and not _ask(job, queries, journal, prompt, endpoints, show_progress):
            return None
        report = write_answers(
            queries,
            journal,
            pipeline,
            job.output,
            job.dropped,
            domain=job.domain,
            source=f"generated by {job.model}",
            drop_repeated=job.drop_repeated,
            show_progress=show_progress,
        )
    _write_report(job, report)
    return report


def _endpoints(job: GenerationJob) -> list[Endpoint]:
    if not job.endpoints:
        raise InputError("name at least one endpoint")
    return [
        Endpoint(
            url,
            job.model,
            key=os.environ.get(job.key_variable) or "none",
            schema=answer_schema(job.paraphrases),
            timeout=job.timeout,
            request={"temperature": job.temperature, "max_tokens": job.max_tokens},
        )
        for url in dict.fromkeys(job.endpoints)
    ]


def _ask(
    job: GenerationJob,
    queries: QueryFile,
    journal: Journal,
    prompt: Prompt,
    endpoints: Sequence[Endpoint],
    show_progress: bool,
) -> bool:
    asking = Asking(
        queries,
        journal,
        prompt,
        paraphrases=job.paraphrases,
        concurrency=job.concurrency,
        persistence=job.persistence,
    )
    try:
        return asyncio.run(asking.run(endpoints, show_progress=show_progress))
    except asyncio.CancelledError:  # a second Ctrl-C
        return False


def _filters(job: GenerationJob, prompt: Prompt) -> FilterPipeline:
    from semantic_router_lora.generation.filters.cross_encoder import load_cross_encoder

    embed = None
    if job.embedder is not None:
        from semantic_router_lora.embedder import Embedder

        embedder = Embedder.from_reference(job.embedder)

        def embed(texts: Sequence[str]) -> NDArray[np.float32]:
            return embedder.encode(texts)

    return FilterPipeline(
        job.filters,
        prompt_texts=prompt.texts(),
        embed=embed,
        cross_encoder=load_cross_encoder(job.cross_encoder) if job.cross_encoder else None,
    )


def _settings(job: GenerationJob, queries: QueryFile, prompt: Prompt) -> dict[str, Any]:
    """What decides the answers: a journal made with other settings is not continued."""
    asked = json.dumps(prompt.messages(job.paraphrases))
    return {
        "input_sha256": queries.sha256,
        "model": job.model,
        "prompt_sha256": hashlib.sha256(asked.encode()).hexdigest(),
        "paraphrases": job.paraphrases,
        "temperature": job.temperature,
        "max_tokens": job.max_tokens,
        "shard": str(job.shard),
    }


def _write_report(job: GenerationJob, report: GenerationReport) -> None:
    from semantic_router_lora import __version__

    content = {
        "input": str(job.queries),
        "domain": job.domain,
        "model": job.model,
        "shard": str(job.shard),
        "version": __version__,
        **report.as_json(),
    }
    unfinished = job.report.with_name(job.report.name + ".part")
    unfinished.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
    unfinished.replace(job.report)
