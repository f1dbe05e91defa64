"""Pictures of which routes are taken for which, before and after."""

from __future__ import annotations

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
    place = {name: number for number, name in enumerate(names)}
    counts = np.zeros((2, len(names), len(names)))
    for right, chosen, before, after in confused:
        if right in place and chosen in place:
            counts[:, place[right], place[chosen]] = before, after
    figure = Figure(figsize=(7 + 0.3 * len(names), 2.5 + 0.18 * len(names)), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    top = max(1.0, counts.max())
    for axis, count, title in zip(axes, counts, ("before", "after"), strict=True):
        picture = axis.imshow(count, cmap="Blues", vmin=0, vmax=top)
        axis.set_title(f"{title}: {int(count.sum())} wrong")
        axis.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
        axis.set_xlabel("chosen")
        for row, column in zip(*np.nonzero(count), strict=True):
            value = count[row, column]
            colour = "white" if value > top / 2 else "black"
            axis.text(column, row, int(value), ha="center", va="center", color=colour, fontsize=6)
    axes[0].set_yticks(range(len(names)), names, fontsize=7)
    axes[0].set_ylabel("right route")
    figure.colorbar(picture, ax=axes, shrink=0.6, label="held-out queries")
    figure.savefig(path, dpi=110)
