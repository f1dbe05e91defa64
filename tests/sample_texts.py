"""Texts of any length, the same in each run."""

from __future__ import annotations

import random

WORDS = "cancel my order before it ships and give the money back to an old card please".split()


def sentences(count: int, most: int) -> list[str]:
    generator = random.Random(1)
    return [" ".join(generator.choices(WORDS, k=generator.randint(0, most))) for _ in range(count)]
