"""A picture of a training run: loss and its terms, and the figures on dev."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from semantic_router_lora.benchmark.plots import grid, render
from semantic_router_lora.errors import require

_TERMS = ("loss", "ranking", "contrastive", "distillation")
_DEV = ("average_precision", "margin")


def plot_history(history: Sequence[dict[str, Any]], path: Path, best_step: int | None) -> None:
    """Draw a run's log, as it is after so many steps.

    Args:
        history: what the trainer logged.
        path: PNG file to write.
        best_step: step of the best checkpoint, marked if there is one.

    Raises:
        MissingExtraError: without matplotlib.
    """
    require("matplotlib", "train")

    def draw() -> Any:
        figure, axes = grid(1, 3, 3.4, 2.4)
        panels = (("loss", _TERMS, ""), *((name, (name,), "eval_") for name in _DEV))
        for axis, (title, names, prefix) in zip(axes[0], panels, strict=True):
            for name in names:
                points = [
                    (row["step"], row[prefix + name]) for row in history if prefix + name in row
                ]
                if points:
                    axis.plot(*zip(*points, strict=True), marker=".", label=name)
            if best_step is not None and prefix:
                axis.axvline(best_step, linestyle=":", color="#7f7f7f", label="best")
            axis.set_title(title if not prefix else f"dev {title.replace('_', ' ')}", fontsize=9)
            axis.set_xlabel("step")
            if axis.get_legend_handles_labels()[0]:
                axis.legend(fontsize=7)
        return figure

    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(render(draw, "light"))
    unfinished.replace(path)
