"""The folds of a fit, kept on disk as they are done, so that a stopped fit goes on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.fitting.folds import FOLDS, fold_of_queries, fold_of_utterances
from semantic_router_lora.fitting.held_out import HeldOut
from semantic_router_lora.fitting.routes import Queries, RouteSet, text_key
from semantic_router_lora.fitting.rows import Material, material, name_as_words
from semantic_router_lora.fitting.scores import ByWeight, Neighbours, neighbours_by_weight
from semantic_router_lora.fitting.trainer import RouteTrainer

if TYPE_CHECKING:
    from semantic_router_lora.training.trainer import AdapterTrainer

_WHEN = ("before", "after")


class FitJob:
    """What is fitted, on what, and what was held out of it.

    Args:
        routes: to be told apart.
        queries: with labels, to learn from and to be held out.
        judged: queries that are never learned from.
        trainer: trains and embeds.
        folder: where finished folds are kept.
        folds: how many parts are held out in turn.
        weights: centroid weights to look for neighbours with.
        before: the vector of each text with what is started from; None to embed them.
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
        folds: int = FOLDS,
        weights: Sequence[float] = (0.0,),
        before: dict[str, NDArray[np.float32]] | None = None,
        seed: int,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.routes, self.queries, self.judged = routes, queries, judged
        self.trainer = trainer
        self.folder, self.seed, self.progress = folder, seed, progress
        self.weights, self.folds = tuple(sorted(set(weights))), folds
        self._of_utterance = fold_of_utterances(routes, folds, seed)
        self._of_query = fold_of_queries(queries, folds, seed)
        texts = [*routes.texts, *queries.texts, *(text for text, _ in queries.refused)]
        texts += judged.texts
        texts += [name_as_words(name) for name in routes.names]
        folder.mkdir(exist_ok=True)
        if before is None:
            progress(f"embedding {len(texts)} texts with what is started from")
            unique = list(dict.fromkeys(texts))
            before = dict(zip(unique, trainer.encode(unique), strict=True))
        self.before = before

    def everything(self) -> Material:
        """All there is to learn from."""
        every = np.arange(len(self.routes.texts))
        held = set(map(text_key, self.judged.texts))
        return material(self.routes, every, self.queries, self.before, held)

    def unfinished(self) -> list[int]:
        """The folds that are left to do; those that hold nothing out are none."""
        return [
            fold
            for fold in range(self.folds)
            if self._held(fold)[0] and not self._path(fold).is_file()
        ]

    def hold_out(self, fold: int) -> None:
        """Train without a fold, and keep what is found for its texts.

        Raises:
            Interrupted: after Ctrl-C; finished folds are kept.
        """
        kept = np.flatnonzero(self._of_utterance != fold)
        self.progress(f"fold {fold + 1} of {self.folds}: {len(kept)} utterances to learn from")
        texts = self._held(fold)[0]
        out = set(map(text_key, texts))
        learned = self.queries.take(self._of_query != fold).without_refused(out)
        found = material(self.routes, kept, learned, self.before, out)
        self.trainer.train(found, self.seed, self.folder / f"trainer-{fold}")
        _write(self._path(fold), self._neighbours(texts, kept))

    def held_out(self) -> HeldOut:
        """What all folds found, each trained without its texts."""
        parts = []
        for fold in range(self.folds):
            texts, labels = self._held(fold)
            if texts:
                found = _read(self._path(fold), self.weights)
                parts.append((texts, labels, np.full(len(texts), fold), *found))
        return HeldOut(
            tuple(text for part in parts for text in part[0]),
            np.concatenate([part[1] for part in parts]),
            np.concatenate([part[2] for part in parts]),
            _joined([part[3] for part in parts]),
            _joined([part[4] for part in parts]),
        )

    def elsewhere(self) -> Callable[[], FitJob]:
        """What makes the same job in another process, where its folds can be held out."""
        return functools.partial(
            _job,
            (self.routes, self.queries, self.judged),
            (self.trainer.recipe, self.trainer.base, self.trainer.start),
            folder=self.folder,
            folds=self.folds,
            weights=self.weights,
            before=self.before,
            seed=self.seed,
        )

    def train(self) -> AdapterTrainer:
        """Train on everything.

        Raises:
            Interrupted: after Ctrl-C.
        """
        self.progress("training on everything")
        return self.trainer.train(self.everything(), self.seed, self.folder / "trainer")

    def _held(self, fold: int) -> tuple[tuple[str, ...], NDArray[np.intp]]:
        """The texts that a fold holds out, and the right route of each."""
        held = np.flatnonzero(self._of_utterance == fold)
        asked = self.queries.take(self._of_query == fold)
        texts = (*(self.routes.texts[row] for row in held), *asked.texts)
        return texts, np.concatenate([self.routes.labels[held], asked.labels])

    def _path(self, fold: int) -> Path:
        return self.folder / f"fold-{fold}.npz"

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


def _job(texts: tuple[RouteSet, Queries, Queries], model: Any, **options: Any) -> FitJob:
    return FitJob(*texts, trainer=RouteTrainer(*model), **options)


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
