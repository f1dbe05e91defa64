"""Where an adapter fails, by kind of near miss."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

from semantic_router_lora.benchmark.measure import wilson
from semantic_router_lora.benchmark.report import NONE
from semantic_router_lora.benchmark.results import BASELINE
from semantic_router_lora.card.figures import CardResults
from semantic_router_lora.card.markdown import listed, paragraph, percent, table

WORST_TRAPS = 3
_MOST_SLICES = 6

# How a near miss differs from the question.
TRAP_MEANINGS = {
    "aspect": "something else is asked about the same thing",
    "entity": "another thing, product or person",
    "number": "another amount, date or version",
    "negation": "the opposite",
    "scope": "a condition that makes it another case",
    "role": "who does it to whom, or which way it goes, is reversed",
}


@dataclass(frozen=True)
class Pooled:
    """One encoder on the triplets of one kind, of all domains together.

    Attributes:
        order: share whose near miss lies farther from the question than the paraphrase.
        served: share whose near miss is served at the threshold from dev; nan without one.
        triplets: of this kind.
    """

    order: float
    served: float
    triplets: int


def pooled_traps(found: CardResults) -> dict[str, dict[str, Pooled]]:
    """Trap → encoder → figures over all domains; the adapter's worst trap first."""
    kinds: dict[str, dict[str, Pooled]] = defaultdict(dict)
    traps = sorted({trap for suite in found.suites for trap in suite.traps})
    for trap in traps:
        for label in (BASELINE, found.label):
            kinds[trap][label] = _pooled(found, trap, label)
    return dict(sorted(kinds.items(), key=lambda item: item[1][found.label].order))


def _pooled(found: CardResults, trap: str, label: str) -> Pooled:
    parts = [
        (suite.trap_counts[trap], suite.traps[trap][label])
        for suite in found.suites
        if trap in suite.traps
    ]
    total = sum(count for count, _ in parts)
    order = sum(count * figures["cosine_accuracy"].value for count, figures in parts) / total
    served = [
        count * figures["false_hit_rate"].value if "false_hit_rate" in figures else math.nan
        for count, figures in parts
    ]
    return Pooled(order, sum(served) / total, total)


def order_sentence(found: CardResults) -> str:
    """How often the near miss lies closer than the paraphrase."""
    wrong = {}
    for label in (BASELINE, found.label):
        right = [s.triplets * s.figures[label]["cosine_accuracy"].value for s in found.suites]
        wrong[label] = 1 - sum(right) / found.triplets
    return (
        f"Of the {found.triplets:,} test triplets, the near miss still lies closer to the question "
        f"than the paraphrase in {percent(wrong[found.label])} ({percent(wrong[BASELINE])} with "
        "the base model alone)."
    )


def traps_table(found: CardResults) -> str:
    """The kinds of near miss over all domains, worst first; empty where none are told apart."""
    pooled = pooled_traps(found)
    if not pooled:
        return ""
    rows = [
        (
            trap + (f": {TRAP_MEANINGS[trap]}" if trap in TRAP_MEANINGS else ""),
            f"{kinds[found.label].triplets}",
            *(_share(kinds[label].order, kinds[label].triplets) for label in kinds),
            *(_share(kinds[label].served, kinds[label].triplets) for label in kinds),
        )
        for trap, kinds in pooled.items()
    ]
    heads = ("Near miss differs in", "Triplets", "Order right: base", "adapter")
    more = ("Near miss served: base", "adapter")
    before = (
        "All domains together, worst kind of near miss first; *order right* is cosine accuracy, "
        "*served* at the thresholds from dev:"
    )
    return paragraph(before) + "\n\n" + table((*heads, *more), rows)


def worse_slices(found: CardResults) -> str:
    """The slices in which the base orders more triplets rightly; empty if there are none."""
    slices = []
    for suite in found.suites:
        for trap, figures in suite.traps.items():
            base, own = (figures[n]["cosine_accuracy"].value for n in (BASELINE, found.label))
            if own < base:
                slices.append((own - base, f"{suite.domain}/{trap} {own:.2f} (base {base:.2f})"))
    if not slices:
        return ""
    count = sum(len(suite.traps) for suite in found.suites)
    shown = listed(name for _, name in sorted(slices)[:_MOST_SLICES])
    return (
        f"In {len(slices)} of {count} slices (domain and kind of near miss) the base model alone "
        f"orders more triplets rightly; by cosine accuracy, widest gap first: {shown}. Each slice "
        "is small."
    )


def _share(share: float, count: int) -> str:
    if math.isnan(share):
        return NONE
    low, high = wilson(share, count)
    return f"{share:.2f} [{low:.2f}, {high:.2f}]"
