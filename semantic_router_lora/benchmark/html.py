"""Benchmark results as one HTML page that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from semantic_router_lora.benchmark.plots import pictures
from semantic_router_lora.benchmark.replay import ReplayResult, budget_table, replay_table
from semantic_router_lora.benchmark.report import provenance, tables
from semantic_router_lora.benchmark.results import BenchmarkResults
from semantic_router_lora.tables import Table

_CAPTIONS = {
    "similarities": "Cosines to the anchor. A cache with one threshold serves all that lies to the "
    "right of it: the less the two colours overlap, the better.",
    "precision": "Precision against the share of lookups served, for every threshold. Half of the "
    "lookups should be served, so the dotted line is what chance gives.",
    "traps": "Average precision by trap, with 95 % intervals.",
    "replay": "A stream of queries through real caches, one for each threshold.",
}

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2328; --line: #d0d7de; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #161b22; --ink: #e6edf3; --line: #30363d; }
}
body { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif;
       margin: 0 auto; max-width: 78rem; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .6rem; text-align: right;
         white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0;
                                 background: var(--paper); }
img { max-width: 100%; height: auto; } figure { margin: 1.5rem 0; }
figcaption, footer { font-size: .85rem; opacity: .8; }
"""


def to_html(results: BenchmarkResults | None, replays: Sequence[ReplayResult]) -> str:
    """A page with all tables and pictures, light or dark as the reader's system is.

    Raises:
        MissingExtraError: without the extra ``benchmark``.
    """
    light = pictures(results, replays, "light")
    dark = pictures(results, replays, "dark")
    figures = "".join(_picture(name, light[name], dark[name]) for name in light)
    shown = tables(results) if results is not None else []
    if replays:
        shown = [*shown, budget_table(replays), replay_table(replays)]
    made = escape(provenance(results)) if results is not None else ""
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>Benchmark of semantic-router-lora</title><style>{_STYLE}</style></head><body>"
        f"<h1>Benchmark of semantic-router-lora</h1>{figures}"
        f"{''.join(_table(table) for table in shown)}<footer><p>{made}</p></footer></body></html>\n"
    )


def _picture(name: str, light: bytes, dark: bytes) -> str:
    def data(png: bytes) -> str:
        return "data:image/png;base64," + base64.b64encode(png).decode()

    return (
        f"<figure><picture><source media='(prefers-color-scheme: dark)' srcset='{data(dark)}'>"
        f"<img src='{data(light)}' alt='{escape(name)}'></picture>"
        f"<figcaption>{escape(_CAPTIONS[name])}</figcaption></figure>"
    )


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    return (
        f"<h2>{escape(table.title)}</h2><div class='scroll'><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )
