"""The catalogue: which adapters there are, where they lie, what is known of them.

An index, not a store: catalogue.toml names a Hub repository at a commit, with the SHA-256 of the
weights, or a folder of this package.
"""

from __future__ import annotations

import functools
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semantic_router_lora.errors import DataError
from semantic_router_lora.reference import HubId, parse_hub_id

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

METRICS = ("margin", "average_precision")

Figures = Mapping[str, Mapping[str, tuple[float, float]]]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}\Z")
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_NEEDED = {"name", "base", "domains", "license", "verified", "sources"}
_OPTIONAL = {"path", "hub", "revision", "sha256", "measured_on", "figures", "note"}


@dataclass(frozen=True)
class Entry:
    """One adapter of the catalogue.

    Attributes:
        name: what users call it; no other entry has it.
        base: Hub id of the base model that it was trained on.
        domains: that it was trained on.
        license: of the weights, as an identifier of the Hub (``apache-2.0``).
        verified: whether this project loaded and measured it.
        sources: where these facts stand: URLs, or files of this project.
        path: folder inside ``semantic_router_lora/adapters``, if the package ships it.
        hub: repository on the Hub, if it does not.
        revision: the commit that `sha256` belongs to.
        sha256: of ``adapter_model.safetensors``, in hexadecimal.
        measured_on: the test data of the figures.
        figures: domain → metric → values of the base and of the adapter.
        note: what else to know before using it.
    """

    name: str
    base: str
    domains: tuple[str, ...]
    license: str
    verified: bool
    sources: tuple[str, ...]
    path: str | None = None
    hub: str | None = None
    revision: str | None = None
    sha256: str | None = None
    measured_on: str | None = None
    figures: Figures | None = None
    note: str | None = None

    @property
    def hub_id(self) -> HubId | None:
        """Where it lies on the Hub; None if the package ships it."""
        return HubId(self.hub, self.revision) if self.hub else None

    @property
    def headline(self) -> str:
        """The margin of base and adapter, as a mean over its domains."""
        margins = [metrics["margin"] for metrics in (self.figures or {}).values()]
        if not margins:
            return "–"
        base, adapter = (sum(pair[side] for pair in margins) / len(margins) for side in (0, 1))
        return f"{base:.3f} → {adapter:.3f}"


@functools.lru_cache(maxsize=1)
def entries() -> tuple[Entry, ...]:
    """All entries, in the order of the file.

    Raises:
        DataError: if the file is not as described in docs/catalogue.md.
    """
    return read(Path(__file__).with_name("catalogue.toml"))


def find(name: str) -> Entry | None:
    """The entry of this name, if there is one."""
    return next((entry for entry in entries() if entry.name == name), None)


def find_pinned(hub_id: HubId) -> Entry | None:
    """The entry of exactly this repository and revision, if there is one."""
    return next((entry for entry in entries() if entry.hub_id == hub_id), None)


def read(path: Path) -> tuple[Entry, ...]:
    """Read and check a catalogue file.

    Raises:
        DataError: if it cannot be read, or an entry is incomplete, contradictory or unknown in
            part; names the entry.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {error}") from error
    tables = content.pop("adapter", [])
    if content or not isinstance(tables, list):
        raise DataError(f"{path}: expected [[adapter]] tables only")
    found = [_entry(table, f"{path}: adapter {number}") for number, table in enumerate(tables, 1)]
    names = [entry.name for entry in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"{path}: two adapters are called {twice[0]!r}")
    return tuple(found)


def _entry(table: Any, where: str) -> Entry:
    if not isinstance(table, dict):
        raise DataError(f"{where} is no table")
    name = table.get("name")
    if not isinstance(name, str) or not _NAME.match(name):
        raise DataError(f"{where}: name is {name!r}, expected letters, digits, '.', '_' and '-'")
    where = f"{where} ({name})"
    if missing := sorted(_NEEDED - table.keys()):
        raise DataError(f"{where} lacks {', '.join(missing)}")
    if unknown := sorted(table.keys() - _NEEDED - _OPTIONAL):
        raise DataError(f"{where} has {', '.join(unknown)}, which no entry has")
    if not isinstance(table["verified"], bool):
        raise DataError(f"{where}: verified is {table['verified']!r}, expected true or false")
    for key in ("domains", "sources"):
        values = table[key]
        if not isinstance(values, list) or not values or not all(map(_is_text, values)):
            raise DataError(f"{where}: {key} is {values!r}, expected a list of texts")
    for key in table.keys() - {"verified", "domains", "sources", "figures"}:
        if not _is_text(table[key]):
            raise DataError(f"{where}: {key} is {table[key]!r}, expected a text of one line")
    figures = _figures(table["figures"], where) if "figures" in table else None
    lists = {key: tuple(table[key]) for key in ("domains", "sources")}
    entry = Entry(**(table | lists | {"figures": figures}))
    _check_place(entry, where)
    return entry


def _check_place(entry: Entry, where: str) -> None:
    if parse_hub_id(entry.base) is None:
        raise DataError(f"{where}: base {entry.base!r} is no Hub id")
    if (entry.hub is None) == (entry.path is None):
        raise DataError(f"{where}: expected either hub or path")
    if entry.path is not None and entry.path != f"bundled/{entry.name}":
        raise DataError(f"{where}: path is {entry.path!r}, expected 'bundled/{entry.name}'")
    hub_id = parse_hub_id(entry.hub) if entry.hub else None
    if entry.hub and (hub_id is None or hub_id.revision):
        raise DataError(f"{where}: hub is {entry.hub!r}, expected owner/name")
    if entry.revision is not None and (entry.path or not _COMMIT.match(entry.revision)):
        raise DataError(f"{where}: revision is no commit of 40 digits: branches and tags can move")
    if entry.sha256 is not None and not _SHA256.match(entry.sha256):
        raise DataError(f"{where}: sha256 is {entry.sha256!r}, expected 64 hexadecimal digits")
    if entry.sha256 and entry.hub and not entry.revision:
        raise DataError(f"{where}: sha256 without the revision that it belongs to")
    if not entry.sha256 and (entry.verified or entry.path):
        raise DataError(
            f"{where}: sha256 is missing; only an entry that is not verified needs none"
        )
    if entry.figures and not entry.measured_on:
        raise DataError(f"{where}: figures without measured_on, the data that they come from")


def _figures(content: Any, where: str) -> Figures:
    try:
        return {
            domain: {metric: _pair(metric, values) for metric, values in metrics.items()}
            | {"margin": _pair("margin", metrics["margin"])}
            for domain, metrics in content.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{where}: figures are not of the form DOMAIN = {{ margin = [base, adapter] }}: {error}"
        ) from error


def _pair(metric: str, values: Any) -> tuple[float, float]:
    if metric not in METRICS:
        raise ValueError(f"{metric} is none of {', '.join(METRICS)}")
    base, adapter = values
    if not all(type(value) in (int, float) and math.isfinite(value) for value in values):
        raise ValueError(f"{values!r} are not two numbers")
    return float(base), float(adapter)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()
