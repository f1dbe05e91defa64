"""The folds of a fit, kept on disk as they are done, so that a stopped fit goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.fitting.folds import fold_of_queries, fold_of_utterances
from semantic_router_lora.fitting.held_out import HeldOut
from semantic_router_lora.fitting.routes import Queries, RouteSet, text_key
from semantic_router_lora.fitting.rows import Material, material, name_as_words
from semantic_router_lora.fitting.scores import ByWeight, Neighbours, neighbours_by_weight
from semantic_router_lora.fitting.trainer import RouteTrainer

_WHEN = ("before", "after")


class FitJob:
    """What is fitted, on what, and what was held out of it.

    Args:
        routes: to be told apart.
        queries: with labels, to learn from and to be held out.
        judged: queries that are never learned from.
        trainer: trains and embeds.
        folder: where finished folds are kept.
        weights: centroid weights to look for neighbours with.
        seed: of folds and rows.
        progress: called with what is being done.
    """

    def __init__(
        self,
        routes: RouteSet,
        queries: Queries,
        judged: Queries,
        trainer: RouteTrainer,
        folder: Path,
        *,
        weights: Sequence[float] = (0.0,),
        seed: int,
        progress: Callable[[str], None],
    ) -> None:
        self.routes, self.queries, self.judged = routes, queries, judged
        self.trainer = trainer
        self.folder, self.seed, self.progress = folder, seed, progress
        self.weights = tuple(sorted(set(weights)))
        texts = [*routes.texts, *queries.texts, *(text for text, _ in queries.refused)]
        texts += judged.texts
        texts += [name_as_words(name) for name in routes.names]
        folder.mkdir(exist_ok=True)
        progress(f"embedding {len(texts)} texts with what is started from")
        unique = list(dict.fromkeys(texts))
        self.before = dict(zip(unique, trainer.encode(unique), strict=True))

    def everything(self) -> Material:
        """All there is to learn from."""
        every = np.arange(len(self.routes.texts))
        held = set(map(text_key, self.judged.texts))
        return material(self.routes, every, self.queries, self.before, held)

    def cross_validate(self, folds: int) -> HeldOut:
        """Hold out each fold once, and train on the others.

        Raises:
            Interrupted: after Ctrl-C; finished folds are kept.
        """
        of_utterance = fold_of_utterances(self.routes, folds, self.seed)
        of_query = fold_of_queries(self.queries, folds, self.seed)
        parts = []
        for fold in range(folds):
            kept = np.flatnonzero(of_utterance != fold)
            held = np.flatnonzero(of_utterance == fold)
            asked = self.queries.take(of_query == fold)
            texts = (*(self.routes.texts[row] for row in held), *asked.texts)
            labels = np.concatenate([self.routes.labels[held], asked.labels])
            if not texts:
                continue
            path = self.folder / f"fold-{fold}.npz"
            if not path.is_file():
                self.progress(f"fold {fold + 1} of {folds}: {len(kept)} utterances to learn from")
                out = set(map(text_key, texts))
                learned = self.queries.take(of_query != fold).without_refused(out)
                found = material(self.routes, kept, learned, self.before, out)
                self.trainer.train(found, self.seed, self.folder / "trainer")
                _write(path, self._neighbours(texts, kept))
            parts.append((texts, labels, np.full(len(texts), fold), *_read(path, self.weights)))
        return HeldOut(
            tuple(text for part in parts for text in part[0]),
            np.concatenate([part[1] for part in parts]),
            np.concatenate([part[2] for part in parts]),
            _joined([part[3] for part in parts]),
            _joined([part[4] for part in parts]),
        )

    def validate(self) -> HeldOut:
        """Ask the queries to judge by, of the model trained on everything."""
        old, new = self._neighbours(self.judged.texts, np.arange(len(self.routes.texts)))
        fold = np.zeros(len(self.judged), np.intp)
        return HeldOut(self.judged.texts, self.judged.labels, fold, old, new)

    def _neighbours(
        self, texts: tuple[str, ...], kept: NDArray[np.intp]
    ) -> tuple[ByWeight, ByWeight]:
        """Of some texts among the kept utterances, before and after."""
        labels, utterances = self.routes.labels[kept], [self.routes.texts[row] for row in kept]
        old = [np.array([self.before[text] for text in part]) for part in (texts, utterances)]
        new = [self.trainer.encode(part) for part in (texts, utterances)]
        return (
            neighbours_by_weight(old[0], old[1], labels, self.weights),
            neighbours_by_weight(new[0], new[1], labels, self.weights),
        )


def _write(path: Path, found: tuple[ByWeight, ByWeight]) -> None:
    arrays: dict[str, Any] = {}
    for when, by_weight in zip(_WHEN, found, strict=True):
        for weight, neighbours in by_weight.items():
            arrays[f"{when} {weight}"] = neighbours.similarities
            arrays[f"{when} {weight} labels"] = neighbours.labels
    unfinished = path.with_suffix(".part.npz")
    np.savez(unfinished, **arrays)
    unfinished.replace(path)


def _read(path: Path, weights: Sequence[float]) -> tuple[ByWeight, ByWeight]:
    with np.load(path) as kept:
        before, after = (
            {w: Neighbours(kept[f"{when} {w}"], kept[f"{when} {w} labels"]) for w in weights}
            for when in _WHEN
        )
    return before, after


def _joined(parts: list[ByWeight]) -> ByWeight:
    """Folds can differ by an utterance: as many neighbours as all have."""
    k = min(found.labels.shape[1] for part in parts for found in part.values())
    return {
        weight: Neighbours(
            np.concatenate([part[weight].similarities[:, :k] for part in parts]),
            np.concatenate([part[weight].labels[:, :k] for part in parts]),
        )
        for weight in parts[0]
    }
