"""What the reference system publishes, to stand beside what is measured; never mixed with it."""

from __future__ import annotations

import json
from importlib.resources import files

from semantic_router_lora.tables import Table


def published_margins() -> dict[str, list[str]]:
    """Domain → margins of baseline, domain-specific and multi-domain, from the benchmark table."""
    rows = published_tables()[1][0].rows
    return {row[0]: list(row[2:]) for row in rows}


def published_tables() -> tuple[str, list[Table]]:
    """A note on what the figures are, and the tables."""
    file = files("semantic_router_lora.benchmark") / "published.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    return content["note"], [
        Table(t["title"], tuple(t["columns"]), [tuple(row) for row in t["rows"]])
        for t in content["tables"]
    ]
