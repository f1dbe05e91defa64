"""``semantic-router-lora encode``."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from semantic_router_lora.cli.output import DEFAULT_BASE


class _Format(str, Enum):
    npy = "npy"
    parquet = "parquet"


class _DType(str, Enum):
    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


def encode(
    file: Annotated[
        Path, typer.Argument(help="Texts: .jsonl, .csv, .parquet, or .txt with one a line.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the shards.")],
    adapter: Annotated[
        Optional[str],  # noqa: UP045  (typer evaluates it on Python 3.10 too)
        typer.Option(help="Bundled name, folder or Hub id. Default: the bundled multi-domain one."),
    ] = None,
    reference: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Instead of an adapter: '<base>' or '<base>+lora:<adapter>'."),
    ] = None,
    field: Annotated[str, typer.Option(help="Column with the text.")] = "text",
    output_format: Annotated[
        _Format,
        typer.Option("--format", help="npy: vectors alone; parquet: all columns and the vectors."),
    ] = _Format.npy,
    shard_rows: Annotated[int, typer.Option(help="Rows of a shard.")] = 100_000,
    processes: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="How many embed. Default: one, or one for each device."),
    ] = None,
    devices: Annotated[
        str, typer.Option(help="Where: auto, cpu, cuda, mps, or a list such as cuda:0,cuda:1.")
    ] = "auto",
    dtype: Annotated[_DType, typer.Option(help="Of weights and arithmetic.")] = _DType.float32,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what was begun in the folder.")
    ] = False,
) -> None:
    """Embed a file of any size into sharded vectors. Can be stopped and resumed at any time."""
    from semantic_router_lora.adapters.resolve import DEFAULT_ADAPTER
    from semantic_router_lora.corpus.encoding import CorpusJob, encode_corpus
    from semantic_router_lora.errors import InputError
    from semantic_router_lora.reference import ModelReference

    if reference is not None and adapter is not None:
        raise InputError("give --adapter or --reference, not both")
    model = ModelReference(DEFAULT_BASE, adapter or DEFAULT_ADAPTER)
    if reference is not None:
        model = ModelReference.parse(reference)
    job = CorpusJob(
        file=file,
        output=output,
        base=model.base,
        adapter=model.adapter,
        field=field,
        format=output_format.value,
        shard_rows=shard_rows,
        processes=processes,
        devices=tuple(name.strip() for name in devices.split(",")),
        dtype=dtype.value,
    )
    try:
        done = encode_corpus(job, resume=resume, show_progress=sys.stderr.isatty())
    except KeyboardInterrupt:
        typer.echo(f"Stopped; finished shards are in {output}: use --resume", err=True)
        raise typer.Exit(130) from None
    typer.echo(
        f"{done.rows:,} vectors of {done.dim} numbers in {len(done.shards)} shards: {output}"
    )
    typer.echo(f"{done.reference} (fingerprint {done.fingerprint})")
