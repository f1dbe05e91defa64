"""What `check_files` found, as text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from semantic_router_lora.data.check import CheckReport, FileStatistics
from semantic_router_lora.tables import Table

_SHOWN = 20


def statistics_table(report: CheckReport) -> Table:
    """One row a file."""
    rows: list[tuple[str, ...]] = []
    for file, figures in report.statistics.items():
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
