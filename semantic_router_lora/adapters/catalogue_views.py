"""The catalogue for readers: a table, the fields of an entry, the TOML to paste."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from semantic_router_lora.adapters import catalogue, layout
from semantic_router_lora.adapters.catalogue import Entry
from semantic_router_lora.hub import cached_snapshot
from semantic_router_lora.reference import parse_hub_id
from semantic_router_lora.tables import Table

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")  # a key of TOML that needs no quotes

NOTE = (
    "Margin: mean similarity margin of base → adapter over its domains with figures. Entries not "
    "verified show their publisher's figures, on other test data: they do not compare."
)


def table(entries: Iterable[Entry], *, with_local: bool) -> Table:
    """One row an entry.

    Args:
        entries: of the catalogue.
        with_local: whether to say which ones lie on this machine.
    """
    columns = ["Name", "Base", "Domains", "Licence", "Margin", "Verified"]
    rows = []
    for entry in entries:
        row = [entry.name, entry.base.partition("/")[2], ", ".join(entry.domains)]
        row += [entry.license, entry.headline, "yes" if entry.verified else "no"]
        if with_local:
            row.append(place(entry))
        rows.append(tuple(row))
    if with_local:
        columns.append("Here")
    return Table("Adapters", tuple(columns), rows)


def place(entry: Entry) -> str:
    """``bundled``, ``cached`` or ``–``: whether it can be used without a download."""
    if entry.hub_id is None:
        return "bundled"
    folder = cached_snapshot(entry.hub_id, layout.REQUIRED)
    whole = folder is not None and all((folder / name).is_file() for name in layout.REQUIRED)
    return "cached" if whole else "–"


def fields(entry: Entry) -> list[tuple[str, str]]:
    """What the catalogue says of an entry, as heads and texts."""
    where = f"on the Hub: {entry.hub_id}" if entry.hub else "bundled with this package"
    lines = [
        ("name", entry.name),
        ("where", where),
        ("base", entry.base),
        ("domains", ", ".join(entry.domains)),
        ("licence", entry.license),
        ("verified", "yes" if entry.verified else "no: not measured by this project"),
        ("SHA-256", entry.sha256 or "unknown: a download cannot be verified"),
    ]
    for domain, metrics in (entry.figures or {}).items():
        values = [f"{m.replace('_', ' ')} {a:.4f} → {b:.4f}" for m, (a, b) in metrics.items()]
        lines.append((domain, ", ".join(values)))
    if entry.measured_on:
        lines.append(("measured on", entry.measured_on))
    lines += [("source", source) for source in entry.sources]
    return [*lines, ("note", entry.note)] if entry.note else lines


def to_toml(entry: Entry) -> str:
    """The entry as a table of catalogue.toml."""
    lines = ["[[adapter]]"]
    for key in ("name", "path", "hub", "revision", "sha256", "base"):
        value = getattr(entry, key)
        if value is not None:
            lines.append(f"{key} = {_quoted(value)}")
    lines.append(f"domains = [{', '.join(map(_quoted, entry.domains))}]")
    lines.append(f"license = {_quoted(entry.license)}")
    lines.append(f"verified = {str(entry.verified).lower()}")
    lines.append(f"sources = [{', '.join(map(_quoted, entry.sources))}]")
    for key in ("measured_on", "note"):
        value = getattr(entry, key)
        if value is not None:
            lines.append(f"{key} = {_quoted(value)}")
    for domain, metrics in (entry.figures or {}).items():
        pairs = [f"{metric} = [{a:.4f}, {b:.4f}]" for metric, (a, b) in metrics.items()]
        key = domain if _BARE.match(domain) else _quoted(domain)
        lines.append(f"figures.{key} = {{ {', '.join(pairs)} }}")
    return "\n".join(lines) + "\n"


def changed(new: Sequence[Entry], old: Sequence[Entry]) -> list[Entry]:
    """The entries of a catalogue that an older one has not, or has otherwise."""
    return [entry for entry in new if entry not in old]


def find_entry(name: str) -> Entry | None:
    """The entry of a name, or of a Hub id with its revision."""
    hub_id = parse_hub_id(name)
    return catalogue.find(name) or (catalogue.find_pinned(hub_id) if hub_id else None)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
