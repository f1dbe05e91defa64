"""Counts of what became of everything that was read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from semantic_router_lora.tables import Table


@dataclass
class Tally:
    """How many things there were, and how many of them ended in which way.

    Attributes:
        name: what is counted.
        total: how many there were.
        parts: how many ended in each way; they add up to the total.
    """

    name: str
    total: int = 0
    parts: Counter[str] = field(default_factory=Counter)

    @property
    def adds_up(self) -> bool:
        """Whether everything ended in one way."""
        return self.total == self.parts.total()


def tally_table(tallies: Sequence[Tally]) -> Table:
    """Each tally with its parts below it."""
    rows: list[tuple[str, ...]] = []
    for tally in tallies:
        rows.append((tally.name, f"{tally.total:,}"))
        rows += [(f"  {part}", f"{count:,}") for part, count in tally.parts.items() if count]
    return Table("Mining", ("", "Count"), rows)
