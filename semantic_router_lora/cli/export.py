"""``semantic-router-lora export``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from semantic_router_lora.tables import Table


class _Engine(str, Enum):
    onnx = "onnx"


def export(
    reference: Annotated[
        str, typer.Argument(help="<base>+lora:<adapter>, <base>, or a bundled adapter's name.")
    ],
    folder: Annotated[Path, typer.Argument(help="Folder to write.")],
    engine: Annotated[_Engine, typer.Option(help="What is to run it.")] = _Engine.onnx,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Quantise it, and measure on the dev suites what that costs."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a folder that was exported earlier.")
    ] = False,
) -> None:
    """Write a model with its adapter to one folder that runs without PyTorch."""
    from semantic_router_lora.cli.output import print_table
    from semantic_router_lora.export.onnx_folder import export_onnx

    info = export_onnx(reference, folder, int8=int8, overwrite=overwrite)
    if info.int8_loss:
        loss = info.int8_loss
        typer.echo(
            f"Cosine of int8 to float32 over {loss['texts']} texts: "
            f"mean {loss['cosine_mean']:.4f}, least {loss['cosine_min']:.4f}"
        )
        print_table(_precision_table(loss["average_precision"]))
    else:
        typer.echo("Loaded again, its vectors are those of the embedder (within 1e-5)")
    typer.echo(f"{info.reference} written to {folder} (fingerprint {info.fingerprint})")


def _precision_table(precision: dict[str, Any]) -> Table:
    from semantic_router_lora.tables import Table

    rows: list[tuple[str, ...]] = [
        (
            domain,
            f"{values['float32']:.4f}",
            f"{values['int8']:.4f}",
            f"{values['int8'] - values['float32']:+.4f}",
        )
        for domain, values in precision.items()
    ]
    columns = ("domain", "float32", "int8", "change")
    return Table("Average precision on the bundled dev suites", columns, rows)
