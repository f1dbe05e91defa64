"""Fitting an adapter to a router's own routes, and saying honestly whether it helps."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from semantic_router_lora.adapters.layout import CARD
from semantic_router_lora.adapters.read import Adapter, read_adapter
from semantic_router_lora.adapters.resolve import resolve_adapter
from semantic_router_lora.base_models import DEFAULT_BASE, BaseModel, resolve_base
from semantic_router_lora.card.stated import Stated, check_stated
from semantic_router_lora.errors import DataError, InputError, require
from semantic_router_lora.fitting.folds import FOLDS
from semantic_router_lora.fitting.helpers import hold_out_folds, processes_for
from semantic_router_lora.fitting.report import FitReport
from semantic_router_lora.fitting.router_file import RouterFile, own_scoring
from semantic_router_lora.fitting.routes import NONE, Queries, RouteSet, read_queries
from semantic_router_lora.fitting.scores import CENTROID_WEIGHTS, SCORINGS, Scoring
from semantic_router_lora.fitting.separation import separated
from semantic_router_lora.reference import ModelReference, checked_folder_name
from semantic_router_lora.training.run import EXTRA

if TYPE_CHECKING:
    from semantic_router_lora.training.trainer import AdapterTrainer

LabelledQueries: TypeAlias = "Queries | Path | str | Iterable[tuple[str, str | None] | Path]"
_PARTS = "folds"


def fit_adapter(
    routes: Path | str | Mapping[str, Sequence[str]] | Iterable[Any],
    output: Path | str,
    *,
    queries: LabelledQueries | None = None,
    out_of_scope: Iterable[str] = (),
    validation: LabelledQueries | None = None,
    base: str | None = None,
    adapter: str | None = None,
    folds: int = FOLDS,
    processes: int | None = None,
    seed: int = 42,
    resume: bool = False,
    license: str = "other",
    progress: Callable[[str], None] = lambda _: None,
) -> FitReport:
    """Train an adapter for routes, and keep it only if held-out queries are routed better.

    Each utterance is held out once, while an adapter is trained on the others: how often the route
    of held-out ones is found is compared with the same of the encoder that was started from. Is the
    rise more than its 95 % interval, an adapter is trained on everything and written.

    Args:
        routes: a router file of any line of semantic-router, its ``Route`` objects, or utterances
            by name.
        output: folder to create: with ``report.md``, ``report.json`` and pictures of confusions;
            and, if the adapter was kept, ``adapter`` and, for a router file, that file rewritten.
        queries: (query, route name or None) that were asked, or files of them, as `read_queries`
            reads them: they are learned from and held out like utterances, but not put in the
            router.
        out_of_scope: queries that no route is right for.
        validation: queries to judge by in place of folds; they are not learned from.
        base: base model; default: that of the router file's encoder, else all-MiniLM-L6-v2.
        adapter: whose weights to start from; default: that of the router file's encoder, if it has
            one.
        folds: at least 2.
        processes: that train side by side and share the threads of PyTorch; default: up to 4 on a
            CPU, fewer where there is little memory.
        seed: of folds and training.
        resume: go on with an unfinished fit of the same.
        license: of the adapter, for its card, as the Hub names it; ``other`` says unpublished.
        progress: called with what is being done.

    Raises:
        DataError: if routes, queries or the output cannot be used, or an unfinished fit is there.
        InputError: if an option is out of range, or the adapter cannot be started from, or the
            router's encoder is of a kind that has no base, and none is named.
        ModelReferenceError, BaseModelError, AdapterError: for base and adapter.
        Interrupted: after Ctrl-C; what is done is kept.
        MissingExtraError: without the extra ``train``.
    """
    for module in EXTRA:
        require(module, "train")
    started = time.monotonic()
    if license == "other":
        stated = Stated("other", license_name="unpublished", license_link=CARD)
    else:
        stated = Stated(license)
    check_stated(stated)
    if type(folds) is not int or folds < 2:
        raise InputError(f"folds is {folds!r}, expected 2 or more")
    if processes is not None and (type(processes) is not int or processes < 1):
        raise InputError(f"processes is {processes!r}, expected 1 or more")
    file = RouterFile.read(Path(routes)) if isinstance(routes, (str, Path)) else None
    found = RouteSet.of(file.routes if file else routes)  # type: ignore[arg-type]
    if isinstance(out_of_scope, str):
        raise InputError("out_of_scope is one text, expected a list of queries")
    asked = _queries(queries, found) + Queries.of([(text, None) for text in out_of_scope], found)
    asked, judged = separated(found, asked, _queries(validation, found))
    if validation is not None and not (judged.labels != NONE).any():
        raise DataError("no query to judge by has a route, other than utterances")
    model, start = _model(file, base, adapter)
    from semantic_router_lora.fitting.job import FitJob
    from semantic_router_lora.fitting.outcome import write_outcome
    from semantic_router_lora.fitting.trainer import RouteTrainer, fit_recipe
    from semantic_router_lora.training.checkpoints import UnfinishedRun
    from semantic_router_lora.training.model import has_fast_bf16

    target = Path(output).absolute()
    checked_folder_name(target, "output")  # the router file is going to name it
    scorings = _scorings(file)
    weights = sorted({scoring.centroid_weight for scoring in scorings})
    recipe = fit_recipe(target.name, model.name, start, seed)
    data = _digest(found, asked, judged)
    unfinished = UnfinishedRun(
        target,
        {
            "recipe": recipe.to_dict(),
            "data": data,
            "base": model.weights_sha256,
            "adapter to start from": start.fingerprint if start else None,
            "folds": folds,
            "centroid weights": weights,
            "precision": "bf16" if has_fast_bf16() else "fp32",
        },
    )
    unfinished.start(resume=resume)
    trainer = RouteTrainer(recipe, model, start)
    parts = unfinished.folder / _PARTS
    job = FitJob(
        found,
        asked,
        judged,
        trainer,
        parts,
        folds=folds,
        weights=weights,
        seed=seed,
        progress=progress,
    )
    run: AdapterTrainer | None
    if len(judged):
        run = job.train()
        held_out = job.validate()
    else:
        run = hold_out_folds(job, processes_for(processes, folds))
        held_out = job.held_out()
    report = write_outcome(
        job,
        held_out,
        scorings,
        file,
        unfinished,
        run,
        base=model,
        data=data,
        stated=stated,
        started=started,
    )
    unfinished.finish()
    shutil.rmtree(target / _PARTS, ignore_errors=True)
    return report


def _queries(given: LabelledQueries | None, routes: RouteSet) -> Queries:
    if given is None:
        return Queries()
    if isinstance(given, Queries):
        return given
    if isinstance(given, (str, Path)):
        return read_queries(Path(given), routes)
    items = list(given)
    if items and all(isinstance(item, Path) for item in items):
        files = [read_queries(item, routes) for item in items]  # type: ignore[arg-type]
        return functools.reduce(Queries.__add__, files)
    return Queries.of(items, routes)  # type: ignore[arg-type]


def _model(
    file: RouterFile | None, base: str | None, adapter: str | None
) -> tuple[BaseModel, Adapter | None]:
    """The base, and the adapter to start from."""
    if file is not None and file.other_encoder is not None and base is None and adapter is None:
        raise InputError(
            f"{file.path}: its encoder is of type {file.other_encoder!r}, which cannot be adapted: "
            f"name a base; the figures before are those of the base then, not of that encoder"
        )
    if file is not None and file.encoder is not None and base is None and adapter is None:
        named = ModelReference.parse(file.encoder)
        base, adapter = named.base, named.adapter
    start = None
    if adapter is not None:
        location = resolve_adapter(adapter)
        start = read_adapter(location.name, location.folder)
        base = base or start.base_model
    return resolve_base(base or DEFAULT_BASE), start


def _scorings(file: RouterFile | None) -> tuple[Scoring, ...]:
    """The router's own first; of others, those that the file can say."""
    own = file.scoring if file else own_scoring()
    if file is not None and not file.says_scoring:
        weights = dict.fromkeys((own.centroid_weight, *CENTROID_WEIGHTS))
        return tuple(replace(own, centroid_weight=weight) for weight in weights)
    others = (replace(scoring, best_passes=own.best_passes) for scoring in SCORINGS)
    return (own, *(scoring for scoring in others if scoring != own))


def _digest(routes: RouteSet, *queries: Queries) -> str:
    content: list[Any] = [routes.names, routes.texts, routes.labels.tolist()]
    content += [[part.texts, np.asarray(part.labels).tolist(), part.refused] for part in queries]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
