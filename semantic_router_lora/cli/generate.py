"""``semantic-router-lora generate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from semantic_router_lora.cli.output import DEFAULT_BASE, print_table


def generate(
    queries: Annotated[
        Path, typer.Argument(help="Queries: .txt with one a line, .jsonl, .csv or .parquet.")
    ],
    output: Annotated[Path, typer.Option(help="File of triplets to write, ending in .jsonl.")],
    domain: Annotated[
        str,
        typer.Option(
            help="Label of the rows. medical, law, programming, psychology have a prompt."
        ),
    ],
    model: Annotated[str, typer.Option(help="Name by which the endpoint serves the model.")],
    endpoint: Annotated[
        Optional[list[str]],  # noqa: UP045  (typer evaluates it on Python 3.10 too)
        typer.Option(help="Base URL, such as http://localhost:8000/v1; several share the job."),
    ] = None,
    prompt: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Prompt file of your own (YAML)."),
    ] = None,
    field: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Field that holds the query. Default: query, text, question or anchor."),
    ] = None,
    shard: Annotated[
        str, typer.Option(help="The part I/N of the queries that this worker does.")
    ] = "1/1",
    paraphrases: Annotated[int, typer.Option(help="Paraphrases to ask for.")] = 3,
    temperature: Annotated[float, typer.Option(help="Of the model's sampling.")] = 0.7,
    max_tokens: Annotated[int, typer.Option(help="Most tokens of an answer.")] = 1024,
    timeout: Annotated[float, typer.Option(help="Seconds that an answer may take.")] = 120.0,
    concurrency: Annotated[int, typer.Option(help="Requests in flight at each endpoint.")] = 16,
    attempts: Annotated[int, typer.Option(help="Requests for a query until it has failed.")] = 6,
    breaker: Annotated[
        int, typer.Option(help="Queries in a row without an answer until an endpoint is given up.")
    ] = 10,
    key_variable: Annotated[
        str, typer.Option(help="Environment variable that holds the API key.")
    ] = "OPENAI_API_KEY",
    disable: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="Filter to leave out; may be repeated. See docs/generating.md."),
    ] = None,
    threshold: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="NAME=VALUE of a filter; may be repeated. See docs/generating.md."),
    ] = None,
    embedder: Annotated[
        str, typer.Option(help="Model of the filters by meaning; 'none' leaves those out.")
    ] = DEFAULT_BASE,
    cross_encoder: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Folder or Hub id of a cross-encoder that checks what is left."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an unfinished job; nothing is paid twice.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="With --resume: ask again what failed.")
    ] = False,
    filter_only: Annotated[
        bool, typer.Option("--filter-only", help="Ask nothing: filter the answers that are there.")
    ] = False,
) -> None:
    """Let a language model write paraphrases and near misses of your queries."""
    from semantic_router_lora.generation.filters.pipeline import FilterSettings
    from semantic_router_lora.generation.job import generate as run
    from semantic_router_lora.generation.places import Persistence
    from semantic_router_lora.generation.settings import GenerationJob, read_thresholds
    from semantic_router_lora.generation.shard import Shard
    from semantic_router_lora.generation.writing import REPEATED

    disabled = frozenset(disable or [])
    job = GenerationJob(
        queries=queries,
        output=output,
        domain=domain,
        model=model,
        endpoints=endpoint or [],
        prompt=prompt,
        text_field=field,
        shard=Shard.parse(shard),
        paraphrases=paraphrases,
        temperature=temperature,
        max_tokens=max_tokens,
        timeout=timeout,
        concurrency=concurrency,
        persistence=Persistence(attempts=attempts, breaker=breaker),
        filters=FilterSettings(
            **read_thresholds(threshold or []),  # type: ignore[arg-type]
            disabled=disabled - {REPEATED},
        ),
        drop_repeated=REPEATED not in disabled,
        embedder=None if embedder == "none" else embedder,
        cross_encoder=cross_encoder,
        key_variable=key_variable,
    )
    report = None
    try:
        report = run(
            job, resume=resume, retry_failed=retry_failed, ask=not filter_only, show_progress=True
        )
    except KeyboardInterrupt:  # at any other time than while it asks
        if not job.journal.exists():
            raise
    if report is None:
        typer.echo(f"Stopped; the answers so far are in {job.journal}: use --resume", err=True)
        raise typer.Exit(130)
    print_table(report.outcome_table())
    if report.removed:
        print_table(report.filter_table())
    typer.echo(f"Triplets: {job.output}. What is not there, and why: {job.dropped}")
    if report.failed:
        typer.echo("To ask again what failed: --resume --retry-failed")
