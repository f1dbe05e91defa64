"""Fits that end in seconds: a few routes, and trainings of a few steps."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from semantic_router_lora.fitting import helpers, rows
from semantic_router_lora.fitting.held_out import Rise

TOPICS = ("my parcel", "the weather", "this song", "a bank card", "the garden", "one flight")
MARKS = {"now": ("urgent", "quickly"), "later": ("tomorrow", "sometime"), "never": ("not", "no")}
ROUTES = {
    name: [f"{mark} tell me about {topic} then" for mark in marks for topic in TOPICS]
    for name, marks in MARKS.items()
}
LEAST_TEXTS = 256  # so that a training takes a second


def router_of(line: str, base: Path) -> dict[str, Any]:
    routes = [{"name": name, "utterances": texts} for name, texts in ROUTES.items()]
    if line == "1":
        return {
            "router_type": "indexed",
            "encoder": {"type": "huggingface", "name": str(base)},
            "routes": routes,
        }
    return {"encoder_type": "huggingface", "encoder_name": str(base), "routes": routes}


def make_small(patch: pytest.MonkeyPatch) -> None:
    """Train shortly, and keep whatever comes out: random weights learn nothing in a second."""
    patch.setattr(rows, "_LEAST_TEXTS", LEAST_TEXTS)
    patch.setattr(rows, "_MOST_TEXTS", LEAST_TEXTS)
    patch.setattr(Rise, "holds", property(lambda found: True))
    patch.setattr(Rise, "is_positive", property(lambda found: True))
    patch.setattr(helpers, "_MOST_PROCESSES", 1)  # others would not know of this


def make_slow(patch: pytest.MonkeyPatch) -> None:
    """Leave time to stop it: the same steps, with pauses."""
    from semantic_router_lora.training.trainer import AdapterTrainer

    step = AdapterTrainer.training_step

    def slow_step(self: Any, *given: Any, **named: Any) -> Any:
        time.sleep(0.3)
        return step(self, *given, **named)

    patch.setattr(AdapterTrainer, "training_step", slow_step)
