"""``semantic-router-lora adapter merge``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def adapter_merge(
    reference: Annotated[
        str,
        typer.Argument(help="<base>+lora:<adapter>, or an adapter that names its base."),
    ],
    folder: Annotated[Path, typer.Argument(help="Folder to write; new or empty.")],
) -> None:
    """Write base and adapter as one model that loads without this package."""
    from semantic_router_lora.export.merged import merge_model

    merged = merge_model(reference, folder)
    typer.echo(
        f"Loaded again, its vectors are those of the adapter on its base "
        f"(largest difference {merged.difference:.0e})"
    )
    typer.echo(merged.obstacle or "So are those that semantic-router's HuggingFaceEncoder gives")
    typer.echo(
        f"{merged.reference} written to {folder} (fingerprint {merged.fingerprint}, "
        f"merged {merged.merged_fingerprint})"
    )
