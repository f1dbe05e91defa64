"""What was found in files of triplets and done with them, as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from semantic_router_lora.data.statistics import FileStatistics
from semantic_router_lora.tables import Table

if TYPE_CHECKING:
    from semantic_router_lora.data.check import CheckReport
    from semantic_router_lora.data.merge import MergeCounts
    from semantic_router_lora.data.split import Split

_SHOWN = 20


def statistics_table(statistics: Mapping[str, FileStatistics]) -> Table:
    """One row a file, from the figures of each path."""
    rows: list[tuple[str, ...]] = []
    for file, figures in statistics.items():
        frame, share = max(figures.frames.values(), key=lambda item: item[1])
        rows.append(
            (
                Path(file).name,
                f"{figures.rows:,}",
                _traps(figures),
                f"{share:.1%} {frame!r}",
                "/".join(f"{length:.0f}" for length in figures.lengths),
                f"{figures.positives_low_overlap:.0%}",
                f"{figures.negatives_high_overlap:.0%}",
                f"{figures.negative_closer:.0%}",
            )
        )
    return Table(
        "Triplets",
        (
            "File",
            "Rows",
            "Traps",
            "Commonest opening",
            "Words, 5/50/95 %",
            "Positives < ¼ shared",
            "Negatives > ½ shared",
            "Negative closer",
        ),
        rows,
    )


def _traps(figures: FileStatistics) -> str:
    """How many traps there are and between which shares they lie."""
    shares = [count / figures.rows for count in figures.traps.values()]
    return f"{len(shares)}: {min(shares):.0%} to {max(shares):.0%}"


def problem_lines(report: CheckReport) -> Iterator[str]:
    """The count of each kind of problem, the first places of each, and the verdict."""
    kinds = {
        "duplicates": report.duplicates,
        "leaks between files": report.leaks,
        "near-identical pairs": report.near_identical,
    }
    for kind, found in kinds.items():
        yield f"{kind}: {len(found)}"
        yield from (f"  {line}" for line in found[:_SHOWN])
        if len(found) > _SHOWN:
            yield f"  ... and {len(found) - _SHOWN} more"
    yield "passed" if report.passed else "FAILED"


def merge_lines(counts: MergeCounts, files: Sequence[Path], output: Path) -> Iterator[str]:
    """What was read of each file, left out for each reason, and written."""
    for place, file in enumerate(files):
        yield f"read: {counts.read[place]:,} rows of {file}"
    for reason, count in counts.dropped.most_common():
        yield f"left out: {count:,}: {reason}"
    yield (
        f"{counts.read.total():,} read = {counts.written:,} written to {output} "
        f"+ {counts.dropped.total():,} left out"
    )


def split_table(split: Split) -> Table:
    """Rows of each part by domain and trap, and the sums."""
    parts = list(split.files)
    strata = sorted({stratum for counts in split.rows.values() for stratum in counts})
    sizes = [split.rows[part].total() for part in parts]
    shares = [f"{size / sum(sizes):.1%}" for size in sizes]
    rows = [
        (f"{domain}, {trap}", *(f"{split.rows[part][domain, trap]:,}" for part in parts))
        for domain, trap in strata
    ]
    rows += [
        ("all rows", *(f"{size:,}" for size in sizes)),
        ("share", *shares),
    ]
    for name, counts in (
        ("sets of rows that belong together", split.components),
        ("left out: a text of another part, or nearly", split.left_out),
    ):
        if counts:
            rows.append((name, *(f"{counts.get(part, 0):,}" for part in parts)))
    return Table("Rows by domain and trap", ("", *parts), rows)
