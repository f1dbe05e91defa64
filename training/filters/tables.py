"""The tables of README.md, from what was measured."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from semantic_router_lora.data.triplets import TRAPS
from semantic_router_lora.generation.filters.candidate import NEGATIVE, PARAPHRASE
from semantic_router_lora.tables import Table

_BLOCK = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled_in(text: str, found: dict[str, Any]) -> str:
    """A text with the table of each block ``<!-- table NAME --> … <!-- end -->`` filled in."""

    def fill(match: re.Match[str]) -> str:
        return f"{match[1]}{_TABLES[match[2]](found).to_markdown()}{match[3]}"

    return _BLOCK.sub(fill, text)


def _good(found: dict[str, Any]) -> Table:
    good = found["good"]
    rows: list[tuple[str, ...]] = [
        (name, _percent(shares[PARAPHRASE]), _percent(shares[NEGATIVE]))
        for name, shares in (*good["removed"].items(), ("all of them", good["removed_by_all"]))
    ]
    title = f"Removed of {good['paraphrases']:,} paraphrases and {good['negatives']:,} near misses"
    return Table(title, ("Filter", "Paraphrases", "Near misses"), rows)


def _planted(found: dict[str, Any]) -> Table:
    planted = found["planted"]
    rows: list[tuple[str, ...]] = [
        (f"{name.replace('_', ' ')}: {share['texts']} written texts", _percent(share["caught"]))
        for name, share in planted["written"].items()
    ]
    rows.append(
        (
            "prompt leak: examples of the prompts, less their last two words",
            _percent(planted["shortened_examples"]),
        )
    )
    rows += [
        (f"{name.replace('_', ' ')}: {kind} planted", _percent(share))
        for name, shares in planted["repeated"].items()
        for kind, share in shares.items()
    ]
    rows += [
        (f"word copy: {trap} near misses as paraphrases", _percent(share))
        for trap, share in planted["near_misses_as_paraphrases"].items()
    ]
    return Table("Caught of planted faults", ("Filter and fault", "Caught"), rows)


def _far(found: dict[str, Any]) -> Table:
    rows: list[tuple[str, ...]] = [
        (
            f"{row['least_cosine']:g}",
            _percent(row["good_removed"]),
            _percent(row["other_questions_caught"]),
        )
        for row in found["far_paraphrase"]
    ]
    heads = ("Least cosine", "Good paraphrases removed", "Paraphrases of another question caught")
    return Table("far_paraphrase", heads, rows)


def _close(found: dict[str, Any]) -> Table:
    rows: list[tuple[str, ...]] = [
        (
            f"{row['most_overlap']:g}",
            f"{row['margin']:g}",
            *(_percent(row[key]) for key in ("planted_caught", "true_removed", "good_removed")),
            *(_percent(row["true_removed_by_trap"][trap]) for trap in TRAPS),
        )
        for row in found["close_negative"]
    ]
    heads = ("Most overlap", "Margin", "Planted, caught", "True, removed", "In all good rows")
    return Table("close_negative", (*heads, *TRAPS), rows)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


_TABLES: dict[str, Callable[[dict[str, Any]], Table]] = {
    "good": _good,
    "planted": _planted,
    "far": _far,
    "close": _close,
}
