"""Which utterances are held out when."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.fitting.routes import Queries, RouteSet

FOLDS = 4


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
            if len(set(found[members])) == 1:  # all in one: none would be left to find
                found[members[1:]] = (found[members[1:]] + 1) % folds
    return found


def fold_of_queries(queries: Queries, folds: int, seed: int) -> NDArray[np.intp]:
    """The fold that each query is held out in; equal texts in one."""
    rng = np.random.default_rng(seed)
    number = {text: place for place, text in enumerate(dict.fromkeys(queries.texts))}
    order = rng.permutation(len(number))
    return np.array([order[number[text]] % folds for text in queries.texts], np.intp)
