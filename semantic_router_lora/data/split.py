"""A file of triplets parted into train, dev and test, with nothing in common."""

from __future__ import annotations

import math
import random
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from semantic_router_lora.data.check import NEAR_IDENTICAL, check_files
from semantic_router_lora.data.files import file_rows
from semantic_router_lora.data.triplets import Triplet, held_fields, parse_triplet
from semantic_router_lora.data.words import composed, near_pairs, plain
from semantic_router_lora.data.writing import check_output, write_rows
from semantic_router_lora.errors import DataError, InputError

Stratum = tuple[str, str]


@dataclass(frozen=True)
class Split:
    """The parts of a file.

    Attributes:
        files: the file of each part.
        rows: rows of each part by (domain, trap), ``none`` where a row names none.
        components: how many sets of rows that belong together each part has; empty if nobody
            looked for them.
        left_out: rows that were for each part and share a text with another.
    """

    files: dict[str, Path]
    rows: dict[str, Counter[Stratum]]
    components: dict[str, int]
    left_out: Counter[str] = field(default_factory=Counter)


def split_file(path: Path, folder: Path, shares: Mapping[str, float], seed: int) -> Split:
    """Write the rows of a file into one file a part, ``STEM.PART.SUFFIX``, in a folder.

    Rows of one group, rows that share a text and rows with near-identical texts go into the same
    part, and so do all that hang together over several such steps. The parts are made as large as
    asked and alike in domains and traps as far as that allows. What is written is checked with
    `check_files` before the files take their place. The same file, shares and seed give the same
    parts. Rows keep their order, and all fields that are not empty.

    The whole file is in memory, unlike in `merge_files` and `split_stream`.

    Args:
        path: .jsonl, .csv or .parquet; the parts are of the same kind.
        folder: for the parts; it must be there.
        shares: share of the rows for each part; those of 0 are not written.
        seed: decides between equal choices.

    Raises:
        InputError: if the shares are negative or do not add up to 1, or the folder is missing.
        DataError: if the file cannot be used, with the line; or if a part would be empty.
    """
    shares = checked_shares(shares)
    files = part_files(path, folder, shares)
    numbered = list(file_rows(path))
    triplets = [parse_triplet(row, f"{path}:{number}") for number, row in numbered]
    if not triplets:
        raise DataError(f"{path}: holds no triplets")
    components = _components(triplets)
    parts = _assign(components, [stratum(triplet) for triplet in triplets], shares, seed)
    for part, rows in parts.items():
        if not rows:
            raise DataError(
                f"{path}: {part} would be empty; the {len(triplets)} rows hang together, by group "
                f"and by texts, in {len(components)} sets, the largest of {len(components[0])} rows"
            )
    _write(files, {part: [held_fields(numbered[row][1]) for row in parts[part]] for part in files})
    part_of = {row: part for part, rows in parts.items() for row in rows}
    return Split(
        files,
        {part: Counter(stratum(triplets[row]) for row in rows) for part, rows in parts.items()},
        Counter(part_of[component[0]] for component in components),
    )


def part_files(path: Path, folder: Path, parts: Iterable[str]) -> dict[str, Path]:
    """The file of each part, of the same kind.

    Raises:
        InputError: if the folder is missing.
        DataError: if a file of this kind cannot be written.
    """
    files = {part: folder / f"{path.stem}.{part}{path.suffix}" for part in parts}
    for file in files.values():
        check_output(file)
    return files


def checked_shares(shares: Mapping[str, float]) -> dict[str, float]:
    """The shares that are not 0.

    Raises:
        InputError: if they are negative or do not add up to 1.
    """
    if any(not 0 <= share <= 1 for share in shares.values()):
        raise InputError(f"shares must be between 0 and 1, got {dict(shares)}")
    if not math.isclose(sum(shares.values()), 1, abs_tol=1e-6):
        raise InputError(f"shares must add up to 1, got {sum(shares.values()):g}: {dict(shares)}")
    return {part: share for part, share in shares.items() if share}


def stratum(triplet: Triplet) -> Stratum:
    """What parts are to be alike in."""
    return triplet.domain or "none", triplet.trap or "none"


def _components(triplets: Sequence[Triplet]) -> list[list[int]]:
    """Sets of rows that must stay together; the largest first, rows in order."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first_of_group: dict[str, int] = {}
    first_with: dict[str, int] = {}
    texts: list[str] = []
    links: list[tuple[int, int]] = []
    for row, triplet in enumerate(triplets):
        if triplet.group:
            links.append((first_of_group.setdefault(triplet.group, row), row))
        for text in triplet.texts:
            key = plain(text)
            if key not in first_with:
                first_with[key] = row
                texts.append(composed(text))
            links.append((first_with[key], row))
    rows_of_texts = list(first_with.values())
    links += [
        (rows_of_texts[one], rows_of_texts[other])
        for one, other, _ in near_pairs(texts, NEAR_IDENTICAL)
    ]
    size = len(triplets)
    starts, ends = zip(*links, strict=True)
    graph = coo_array(([1] * len(links), (starts, ends)), shape=(size, size))
    count, labels = connected_components(graph, directed=False)
    components: list[list[int]] = [[] for _ in range(count)]
    for row, label in enumerate(labels.tolist()):
        components[label].append(row)
    return sorted(components, key=lambda rows: (-len(rows), rows[0]))


def _assign(
    components: Sequence[Sequence[int]],
    strata: Sequence[Stratum],
    shares: Mapping[str, float],
    seed: int,
) -> dict[str, list[int]]:
    """Give each component, the largest first, to the part that it leaves least full.

    How full a part is counts for each (domain, trap) of the component's rows, and for all rows.
    """
    totals = Counter(strata)
    held: dict[str, Counter[Stratum]] = {part: Counter() for part in shares}
    parts: dict[str, list[int]] = {part: [] for part in shares}
    order = list(components)
    random.Random(seed).shuffle(order)
    for rows in sorted(order, key=len, reverse=True):
        counts = Counter(strata[row] for row in rows)

        def fullness(
            part: str, rows: Sequence[int] = rows, counts: Counter[Stratum] = counts
        ) -> float:
            share = shares[part]
            # of what is rare a part may hold one row, however small its share
            by_stratum = sum(
                count * (held[part][one] + count) / max(1, share * totals[one])
                for one, count in counts.items()
            )
            overall = (len(parts[part]) + len(rows)) / max(1, share * len(strata))
            return by_stratum / len(rows) + overall

        chosen = min(shares, key=fullness)
        parts[chosen] += rows
        held[chosen] += counts
    return {part: sorted(rows) for part, rows in parts.items()}


def _write(files: Mapping[str, Path], rows: Mapping[str, list[dict[str, Any]]]) -> None:
    """Write all parts, check them, and only then put them where they belong."""
    folder = next(iter(files.values())).parent
    with tempfile.TemporaryDirectory(dir=folder, prefix=".split-") as name:
        written = {part: Path(name) / file.name for part, file in files.items()}
        for part, file in written.items():
            write_rows(file, rows[part])
        report = check_files(list(written.values()))
        if shared := report.leaks + report.near_leaks:
            raise DataError(f"the parts share {len(shared)} texts, such as {shared[0]}")
        for part, file in written.items():
            file.replace(files[part])
