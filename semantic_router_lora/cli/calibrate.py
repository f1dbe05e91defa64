"""``semantic-router-lora calibrate``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from semantic_router_lora.cli.output import DEFAULT_BASE


def calibrate(
    pairs: Annotated[Path, typer.Argument(help="Triplets, or JSON lines with a, b and label.")],
    max_false_hits: Annotated[
        float, typer.Option(help="Budget: share of different questions that may be served.")
    ] = 0.01,
    adapter: Annotated[
        Optional[str],  # noqa: UP045  (typer evaluates it on Python 3.10 too)
        typer.Option(help="Bundled name, folder or Hub id. Default: the bundled multi-domain one."),
    ] = None,
    base: Annotated[str, typer.Option(help="The base model.")] = DEFAULT_BASE,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps, ...")] = "auto",
) -> None:
    """Choose a threshold that keeps false hits below a budget, or say that the data cannot."""
    from semantic_router_lora.adapters.resolve import DEFAULT_ADAPTER
    from semantic_router_lora.benchmark.calibrate import advice, check_counts, pair_cosines
    from semantic_router_lora.benchmark.calibrate import calibrate as run
    from semantic_router_lora.data.pairs import distinct_pairs, read_pairs
    from semantic_router_lora.embedder import Embedder

    read = read_pairs(pairs)
    distinct = distinct_pairs(read)
    if len(distinct) < len(read):
        typer.echo(f"{len(read) - len(distinct)} of {len(read)} pairs are repeated and count once")
    same = sum(pair.same for pair in distinct)
    check_counts(same, len(distinct) - same, max_false_hits)
    embedder = Embedder(base, adapter or DEFAULT_ADAPTER, device=device)
    positive, negative = pair_cosines(embedder, distinct, show_progress=sys.stderr.isatty())
    found = run(positive, negative, max_false_hits=max_false_hits)
    between = "no interval: too few false hits are allowed"
    if found.threshold_interval is not None:
        between = "[{:.4f}, {:.4f}]".format(*found.threshold_interval)
    least, most = found.hit_rate_interval
    typer.echo(f"{embedder.reference} (fingerprint {embedder.fingerprint})")
    typer.echo(f"threshold   {found.threshold:.4f}  {between}")
    typer.echo(
        f"hit rate    {found.hit_rate:.1%}  [{least:.1%}, {most:.1%}]  "
        f"of {found.positives} pairs with the same answer"
    )
    typer.echo(
        f"false hits  {found.false_hits} of {found.negatives} pairs with different answers; "
        f"with 95 % confidence not above {found.false_hit_bound:.2%}"
    )
    for line in advice(found):
        typer.echo(line)
