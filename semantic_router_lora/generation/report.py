"""What became of the queries of a job."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from semantic_router_lora.generation.filters.candidate import Removed
from semantic_router_lora.tables import Table

_EXAMPLES = 5


@dataclass
class GenerationReport:
    """Counts that add up, and examples.

    Attributes:
        queries: rows of the input (of the shard).
        written: queries with at least one triplet.
        rejected: queries without one, by reason.
        failed: queries for which no usable answer came, by the last error.
        unasked: queries that nothing came back for yet; 0 at the end of a job.
        triplets: rows written.
        traps: rows of each trap.
        removed: texts that each filter removed.
        examples: the first texts that each filter removed, with the query and the reason.
    """

    queries: int = 0
    written: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    unasked: int = 0
    triplets: int = 0
    traps: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def remove(self, removed: Removed) -> None:
        """Count a removed text, and keep the first few of each filter."""
        self.removed[removed.filter] += 1
        examples = self.examples.setdefault(removed.filter, [])
        if len(examples) < _EXAMPLES:
            examples.append(
                {
                    "query": removed.query,
                    removed.kind: removed.text,
                    "reason": removed.reason,
                }
            )

    def as_json(self) -> dict[str, Any]:
        """Everything, for a file."""
        return {
            "queries": self.queries,
            "written": self.written,
            "rejected": dict(self.rejected.most_common()),
            "failed": dict(self.failed.most_common()),
            "unasked": self.unasked,
            "triplets": self.triplets,
            "traps": dict(self.traps.most_common()),
            "removed": {
                name: {"texts": count, "examples": self.examples[name]}
                for name, count in self.removed.most_common()
            },
        }

    def outcome_table(self) -> Table:
        """How many queries were written, rejected and failed."""
        rows: list[tuple[str, ...]]
        rows = [("written", str(self.written), f"{self.triplets} triplets")]
        for name, reasons in (("rejected", self.rejected), ("failed", self.failed)):
            commonest = "; ".join(f"{reason}: {n}" for reason, n in reasons.most_common(3))
            rows.append((name, str(reasons.total()), commonest))
        if self.unasked:
            rows.append(("not asked yet", str(self.unasked), ""))
        rows.append(("all", str(self.queries), ""))
        return Table("Queries", ("Outcome", "Queries", "What"), rows)

    def filter_table(self) -> Table:
        """How many texts each filter removed, with an example."""
        rows: list[tuple[str, ...]] = []
        for name, count in self.removed.most_common():
            example = self.examples[name][0]
            text = example.get("paraphrase") or example.get("negative") or ""
            rows.append((name, str(count), f"{text!r} for {example['query']!r}"))
        return Table("Texts that filters removed", ("Filter", "Texts", "Example"), rows)
