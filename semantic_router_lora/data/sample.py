"""Some rows of a file, drawn at random."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from semantic_router_lora.data.files import file_rows
from semantic_router_lora.data.triplets import held_fields, parse_triplet
from semantic_router_lora.errors import DataError, InputError


def sample_rows(
    path: Path, size: int, seed: int, domain: str | None = None
) -> list[dict[str, Any]]:
    """Draw rows of a file of triplets, each set of ``size`` rows as likely as any other.

    The file is read once, as a stream; only the drawn rows are in memory (reservoir sampling;
    Vitter 1985, algorithm R).

    Args:
        path: .jsonl, .csv or .parquet.
        size: how many rows; a file that holds fewer gives all.
        seed: of the draw.
        domain: draw from the rows of this domain alone.

    Returns:
        The rows in the order of the file, without fields that are empty.

    Raises:
        InputError: if ``size`` is less than one.
        DataError: if the file cannot be used, with the line, or holds no such row.
    """
    if size < 1:
        raise InputError(f"cannot draw {size} rows: at least one is needed")
    draw = random.Random(seed)
    drawn: list[tuple[int, dict[str, Any]]] = []
    count = 0
    for number, row in file_rows(path):
        triplet = parse_triplet(row, f"{path}:{number}")
        if domain is not None and triplet.domain != domain:
            continue
        count += 1
        if len(drawn) < size:
            drawn.append((count, row))
        elif (place := draw.randrange(count)) < size:
            drawn[place] = (count, row)
    if not drawn:
        raise DataError(f"{path}: holds no triplets" + (f" of domain {domain!r}" if domain else ""))
    return [held_fields(row) for _, row in sorted(drawn, key=lambda item: item[0])]
