"""Training rows of every shape: pairs, triplets with one or several negatives, labelled pairs."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semantic_router_lora.data.pairs import labelled_pair
from semantic_router_lora.data.triplets import file_rows, named_fields, text_field
from semantic_router_lora.errors import DataError
from semantic_router_lora.training.data_files import check_names
from semantic_router_lora.training.recipe import Recipe

_NUMBERED = re.compile(r"negative_\d+")


@dataclass(frozen=True)
class Example:
    """A text, at most one paraphrase of it, and any number of near misses.

    Attributes:
        anchor: a question.
        positive: the same question in other words, if there is one.
        negatives: questions that need another answer.
        group: number of the questions that are not to be taken for different ones.
        domain: such as ``medical``; empty if none is named.
        source: where the row comes from; empty if none is named.
    """

    anchor: str
    positive: str | None
    negatives: tuple[str, ...]
    group: int
    domain: str
    source: str

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text of the row."""
        return (self.anchor, *((self.positive,) if self.positive else ()), *self.negatives)


def read_examples(recipe: Recipe) -> list[Example]:
    """Read all training files of a recipe, as often as it says.

    A row is a triplet (``anchor``, ``positive``, ``negative``, or ``negative_1``, ``negative_2``
    and so on), a pair (``anchor`` and ``positive``), or a labelled pair (as `read_pairs` reads
    them): of label 1 it is a pair, of label 0 an anchor with a negative.

    Raises:
        DataError: if a file cannot be used, with the line; if two have one name; if nothing is
            left to train on; if the loss needs near misses and there are none; or if it teaches
            nothing from some rows.
    """
    check_names(recipe)
    groups: dict[tuple[str, str], int] = {}
    examples = []
    for entry in recipe.train:
        rows = _read(Path(entry.file), recipe, groups)
        if entry.limit is not None and entry.limit < len(rows):
            # keyed by the file, so that one file's draw does not move another's
            draw = random.Random(f"{recipe.seed}/{Path(entry.file).name}")
            chosen = sorted(draw.sample(range(len(rows)), entry.limit))
            rows = [rows[number] for number in chosen]
        examples += rows * entry.repeat
    if not examples:
        raise DataError(
            "no row is left to train on: hard_negatives is false and none has a positive"
        )
    if recipe.contrastive_weight or recipe.loss != "cache":
        _require_negatives(recipe, examples)
    if not recipe.contrastive_weight and not any(example.positive for example in examples):
        raise DataError("no training row has a positive, and without one there is nothing to rank")
    if recipe.loss == "cache" and not recipe.contrastive_weight:
        _require_positives(examples)
    return examples


def _name(row: dict[str, Any], field: str, where: str) -> str:
    value = row.get(field)
    if value is None:
        return ""
    if isinstance(value, str) or type(value) is int:
        return str(value)
    raise DataError(f"{where}: field {field!r} is {value!r}, expected a text or a number")


def _require_negatives(recipe: Recipe, examples: Sequence[Example]) -> None:
    """Without them these losses pull everything together, and nothing apart."""
    if recipe.hard_negatives and not any(example.negatives for example in examples):
        what = "contrastive_weight" if recipe.loss == "cache" else f"loss: {recipe.loss}"
        raise DataError(f"{what} needs near misses, and no training row has a negative")


def _require_positives(examples: Sequence[Example]) -> None:
    """The ranking term alone teaches nothing of a near miss whose anchor has no paraphrase."""
    if without := sum(example.positive is None for example in examples):
        raise DataError(
            f"with contrastive_weight 0, nothing is learned from the {without:,} training rows "
            f"that have a near miss and no positive, such as labelled pairs of label 0: set "
            f"contrastive_weight (5.0 is that of the bundled adapters), take loss: "
            f"online_contrastive, or leave them out with hard_negatives: false"
        )


def _read(path: Path, recipe: Recipe, groups: dict[tuple[str, str], int]) -> list[Example]:
    rows = [_example(row, f"{path}:{number}", recipe, groups) for number, row in file_rows(path)]
    if not rows:
        raise DataError(f"{path}: holds no rows")
    return [row for row in rows if row.positive or row.negatives]


def _example(row: Any, where: str, recipe: Recipe, groups: dict[tuple[str, str], int]) -> Example:
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected an object, got {type(row).__name__}")
    named = named_fields(row)
    if "anchor" in named:
        anchor = text_field(named, "anchor", where)
        positive: str | None = text_field(named, "positive", where)
        keys = [key for key in named if key == "negative" or _NUMBERED.fullmatch(key)]
        if unread := [key for key in named if "negative" in key and key not in keys]:
            raise DataError(
                f"{where}: field {unread[0]!r} is not read; several near misses are negative_1, "
                f"negative_2 and so on"
            )
        if "label" in named:
            raise DataError(f"{where}: a labelled pair has the fields a and b, not anchor")
        # columns of a table are empty where a row has fewer negatives than others
        negatives = tuple(text_field(named, key, where) for key in keys if named[key])
    else:
        pair = labelled_pair(row, where)
        anchor, positive = pair.first, pair.second if pair.same else None
        negatives = () if pair.same else (pair.second,)
    domain, source, group = (_name(named, name, where) for name in ("domain", "source", "group"))
    used = recipe.hard_negatives and named.get("trap") not in recipe.skip_traps
    # a row without a group is a group of its own
    key = (domain, group) if group else ("", f"\0{len(groups)}")
    return Example(
        anchor,
        positive,
        negatives if used else (),
        groups.setdefault(key, len(groups)),
        domain,
        source,
    )
