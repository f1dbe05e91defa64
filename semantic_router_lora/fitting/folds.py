"""Which utterances are held out when."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.fitting.routes import Queries, RouteSet

FOLDS = 5


def fold_of_utterances(routes: RouteSet, folds: int, seed: int) -> NDArray[np.intp]:
    """The fold that each utterance is held out in, of each route about as many.

    A route's only utterance is never held out, and has fold -1: without it there is no route.
    """
    rng = np.random.default_rng(seed)
    found = np.full(len(routes.texts), -1, np.intp)
    for number in range(len(routes.names)):
        members = rng.permutation(np.flatnonzero(routes.labels == number))
        if len(members) > 1:
            found[members] = (np.arange(len(members)) + number) % folds
    return found


def fold_of_queries(queries: Queries, folds: int, seed: int) -> NDArray[np.intp]:
    """The fold that each query is held out in."""
    rng = np.random.default_rng(seed)
    return np.asarray(rng.permutation(len(queries)) % folds, np.intp)
