"""Pictures of benchmark results, in light or dark, as PNG."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from semantic_router_lora.benchmark.replay import ReplayResult
from semantic_router_lora.benchmark.results import BASELINE, BenchmarkResults
from semantic_router_lora.data.triplets import TRAPS
from semantic_router_lora.errors import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Told apart by people with any kind of colour vision (Okabe and Ito 2008).
COLOURS = ("#7f7f7f", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
SAME, DIFFERENT = "#0072b2", "#d55e00"
THEMES = {"light": ("#ffffff", "#1f2328"), "dark": ("#161b22", "#e6edf3")}
_EDGES = np.linspace(-0.2, 1.0, 61)


def pictures(
    results: BenchmarkResults | None, replays: Sequence[ReplayResult], theme: str
) -> dict[str, bytes]:
    """Every picture that the results allow, as name → PNG.

    Args:
        results: of a benchmark run, or None.
        replays: of a replay run, or empty.
        theme: ``light`` or ``dark``.

    Raises:
        MissingExtraError: without the extra ``benchmark``.
    """
    require("matplotlib", "benchmark")
    drawn: dict[str, Callable[[], Figure]] = {}
    if results is not None:
        drawn["similarities"] = lambda: _histograms(results)
        drawn["precision"] = lambda: _curves(results)
        if any(suite.traps for suite in results.suites):
            drawn["traps"] = lambda: _traps(results)
    if replays:
        drawn["replay"] = lambda: _replay(replays)
    return {name: render(draw, theme) for name, draw in drawn.items()}


def render(draw: Callable[[], Figure], theme: str) -> bytes:
    """A figure as PNG, in the colours of a theme."""
    from matplotlib import rc_context

    paper, ink = THEMES[theme]
    inked = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    style: dict[str, Any] = dict.fromkeys(inked, ink) | {
        "figure.facecolor": paper,
        "axes.facecolor": paper,
        "savefig.facecolor": paper,
        "legend.frameon": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "font.size": 9,
    }
    with rc_context(style):  # type: ignore[arg-type]  # its keys are a closed list of literals
        buffer = io.BytesIO()
        draw().savefig(buffer, format="png", dpi=130, metadata={"Software": ""})
    return buffer.getvalue()


def grid(rows: int, columns: int, width: float, height: float) -> tuple[Figure, Any]:
    """A figure of so many panels, each of a size in inches, and the panels by row and column."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _histograms(results: BenchmarkResults) -> Figure:
    """One row a domain, one column an encoder: cosines of paraphrases and of near misses."""
    names = list(results.embedders)
    figure, axes = grid(len(results.suites), len(names), 3.2, 1.7)
    for row, suite in enumerate(results.suites):
        for column, name in enumerate(names):
            axis, drawing = axes[row][column], suite.drawings[name]
            for counts, colour, label in (
                (drawing.positive, SAME, "paraphrase"),
                (drawing.negative, DIFFERENT, "near miss"),
            ):
                axis.stairs(counts, _EDGES, fill=True, alpha=0.55, color=colour, label=label)
            axis.set_xlim(_EDGES[0], 1)
            axis.set_yticks([])
            if row == 0:
                axis.set_title(name, fontsize=9)
            if column == 0:
                axis.set_ylabel(suite.domain)
    for axis in axes[-1]:
        axis.set_xlabel("cosine to the anchor")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2)
    return figure


def _curves(results: BenchmarkResults) -> Figure:
    """Precision against the share of lookups served, one axis a domain."""
    columns = min(3, len(results.suites))
    rows = -(-len(results.suites) // columns)
    figure, axes = grid(rows, columns, 3.4, 2.7)
    for number, suite in enumerate(results.suites):
        axis = axes[number // columns][number % columns]
        for colour, (name, drawing) in zip(_colours(results), suite.drawings.items(), strict=False):
            axis.plot(drawing.hit_ratio, drawing.precision, color=colour, label=name, linewidth=1.5)
        axis.set_title(suite.domain, fontsize=9)
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1.02)
        axis.axhline(0.5, linewidth=0.6, linestyle=":", color="#999999")
    for spare in range(len(results.suites), rows * columns):
        axes[spare // columns][spare % columns].set_axis_off()
    figure.supxlabel("cache-hit ratio: share of lookups served", fontsize=9)
    figure.supylabel("precision: right answers among them", fontsize=9)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


def _traps(results: BenchmarkResults) -> Figure:
    """Average precision by trap, one axis a domain, bars with intervals."""
    suites = [suite for suite in results.suites if suite.traps]
    figure, axes = grid(len(suites), 1, 8.0, 1.7)
    names = list(results.embedders)
    width = 0.8 / len(names)
    for row, suite in enumerate(suites):
        axis = axes[row][0]
        traps = sorted(suite.traps, key=lambda trap: (*TRAPS, trap).index(trap))
        for position, (colour, name) in enumerate(zip(_colours(results), names, strict=False)):
            figures = [suite.traps[trap][name]["average_precision"] for trap in traps]
            values = np.array([figure.value for figure in figures])
            spread = np.array(
                [[f.value - f.low for f in figures], [f.high - f.value for f in figures]]
            )
            axis.bar(
                np.arange(len(traps)) + (position - (len(names) - 1) / 2) * width,
                values,
                width,
                yerr=np.maximum(spread, 0),
                color=colour,
                ecolor="#999999",
                error_kw={"linewidth": 0.8},
                label=name,
            )
        axis.set_xticks(np.arange(len(traps)), traps)
        axis.set_ylim(0.3, 1)
        axis.set_ylabel(suite.domain)
    figure.supylabel("average precision", fontsize=9)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


def _replay(replays: Sequence[ReplayResult]) -> Figure:
    """Hits against false hits per lookup, and both against the threshold."""
    figure, axes = grid(1, 2, 4.2, 3.2)
    for colour, result in zip(itertools.cycle(COLOURS), replays, strict=False):
        hits = [outcome.hits / result.lookups for outcome in result.outcomes]
        false_hits = [outcome.false_hits / result.lookups for outcome in result.outcomes]
        thresholds = [outcome.threshold for outcome in result.outcomes]
        axes[0][0].plot(false_hits, hits, "o-", color=colour, markersize=3, label=result.encoder)
        axes[0][1].plot(thresholds, hits, color=colour)
        axes[0][1].plot(thresholds, false_hits, "--", color=colour)
    axes[0][0].set_xlabel("false hits per lookup")
    axes[0][0].set_ylabel("right hits per lookup")
    axes[0][1].set_xlabel("threshold")
    axes[0][1].set_ylabel("right (line) and false (dashed) hits per lookup")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


def _colours(results: BenchmarkResults) -> list[str]:
    """Grey for the baseline, a colour for each adapter, repeated if there are many."""
    adapters = [name for name in results.embedders if name != BASELINE]
    return [COLOURS[0], *(COLOURS[1 + n % (len(COLOURS) - 1)] for n in range(len(adapters)))]
