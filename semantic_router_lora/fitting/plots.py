"""Pictures of which routes are taken for which, before and after."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from semantic_router_lora.errors import require
from semantic_router_lora.fitting.report import FitReport

_MOST_ROUTES = 20


def plot_confusion(report: FitReport, path: Path) -> None:
    """Draw the wrong choices among the routes that have most of them, before and after, as PNG.

    Raises:
        MissingExtraError: without matplotlib.
    """
    require("matplotlib", "benchmark")
    from matplotlib.figure import Figure

    confused = report.confused()
    weight = dict.fromkeys(report.routes, 0)
    for right, chosen, before, after in confused:
        weight[right] += before + after
        weight[chosen] += before + after
    names = sorted((n for n in weight if weight[n]), key=lambda n: (-weight[n], n))[:_MOST_ROUTES]
    if not names:
        return
    names = _chain(names, confused)
    place = {name: number for number, name in enumerate(names)}
    counts = np.zeros((2, len(names), len(names)), int)
    for right, chosen, before, after in confused:
        if right in place and chosen in place:
            counts[:, place[right], place[chosen]] = before, after
    side = 1.5 + 0.27 * len(names)
    figure = Figure(figsize=(2 * side + 2, side + 1.5), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    top = max(1, counts.max())
    edges = np.arange(len(names) + 1) - 0.5
    for axis, count, title in zip(axes, counts, ("before", "after"), strict=True):
        axis.imshow(count, cmap="Blues", vmin=0, vmax=top)
        axis.plot(edges[[0, -1]], edges[[0, -1]], color="0.8", linewidth=0.8)  # right choices
        axis.set_title(f"{title}: {count.sum()} wrong")
        axis.set_xticks(range(len(names)), names, rotation=90, fontsize=8, parse_math=False)
        axis.set_xticks(edges, minor=True)
        axis.set_yticks(edges, minor=True)
        axis.grid(which="minor", color="0.9", linewidth=0.5)
        axis.tick_params(which="minor", length=0)
        axis.set_xlabel("chosen")
        for row, column in zip(*np.nonzero(count), strict=True):
            value = count[row, column]
            colour = "white" if value > top / 2 else "black"
            axis.text(column, row, value, ha="center", va="center", color=colour, fontsize=8)
    axes[0].set_yticks(range(len(names)), names, fontsize=8, parse_math=False)
    axes[0].set_ylabel("right route")
    shown = "" if len(names) == sum(map(bool, weight.values())) else ", the most confused routes"
    figure.suptitle(f"Held-out queries that were routed wrong{shown}", fontsize=10)
    with warnings.catch_warnings():  # names in scripts that the font has not
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        figure.savefig(path, dpi=110)


def _chain(names: list[str], confused: list[tuple[str, str, int, int]]) -> list[str]:
    """Each name followed by the one that it is confused with most, of those that are left."""
    together: Counter[frozenset[str]] = Counter()
    for right, chosen, before, after in confused:
        together[frozenset((right, chosen))] += before + after
    left = list(names)
    found = [left.pop(0)]
    while left:
        found.append(max(left, key=lambda name: together[frozenset((found[-1], name))]))
        left.remove(found[-1])
    return found
