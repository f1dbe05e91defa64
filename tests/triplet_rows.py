"""Rows of triplets: messy ones of every kind, many in groups, and the files that hold them."""

from __future__ import annotations

import json
import random
from pathlib import Path

from hypothesis import HealthCheck
from hypothesis import strategies as st

from semantic_router_lora.data.files import file_rows
from semantic_router_lora.data.writing import write_rows

PARTS = {"train": 0.6, "dev": 0.2, "test": 0.2}
# the examples of a property share one folder
SHARED_FOLDER = [HealthCheck.function_scoped_fixture]
LONG = "my landlord in Leeds kept the whole deposit for a stain that was there before we moved in"
GOOD = {"anchor": "a", "positive": "b", "negative": "c"}


def row(anchor: str, positive: str, negative: str, **fields: object) -> dict[str, object]:
    return {"anchor": anchor, "positive": positive, "negative": negative, **fields}


def new_folder(tmp_path: Path) -> Path:
    folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    return folder


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(path: Path) -> list[dict[str, object]]:
    return [content for _, content in file_rows(path)]


def write_many(path: Path) -> Path:
    """300 rows in groups of one to five, two domains and three traps, one of them rare."""
    draw = random.Random(0)
    rows = []
    while len(rows) < 300:
        group = f"g{len(rows)}"
        for _ in range(draw.randint(1, 5)):
            number = len(rows)
            rows.append(
                row(
                    *(f"{kind}{number} about it" for kind in ("anchor", "positive", "negative")),
                    domain=draw.choice(["law", "medical"]),
                    trap=draw.choices(["aspect", "role", "scope"], (10, 10, 1))[0],
                    group=group,
                )
            )
    write_rows(path, rows)
    return path


def by_more(first: frozenset[str], second: frozenset[str]) -> bool:
    return max(len(first - second), len(second - first)) > 1


# Few words, so that texts often meet; of lengths on both sides of what counts as near.
WORDS = [f"w{number}" for number in range(24)]
SHORT = st.lists(st.sampled_from(WORDS[:4]), min_size=1, max_size=2).map(" ".join)
LENGTHY = st.integers(0, 3).flatmap(
    lambda left: st.permutations(WORDS[: 24 - left * 5]).map(
        lambda chosen: " ".join(chosen[left % 2 :])
    )
)
MESSY_ROWS = st.lists(
    st.builds(
        row,
        SHORT | LENGTHY,
        SHORT | LENGTHY,
        SHORT | LENGTHY,
        group=st.sampled_from([None, "1", "2", "3"]),
        domain=st.sampled_from(["medical", "law"]),
        trap=st.sampled_from([None, "role", "number"]),
    ),
    min_size=1,
    max_size=12,
)
