"""Fitting an adapter to a router's own routes, and saying honestly whether it helps."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_router_lora.adapters.layout import CARD
from semantic_router_lora.card.stated import Stated, check_stated
from semantic_router_lora.errors import DataError, InputError, require
from semantic_router_lora.fitting.folds import FOLDS
from semantic_router_lora.fitting.helpers import hold_out_folds, processes_for
from semantic_router_lora.fitting.inputs import (
    LabelledQueries,
    digest,
    model_of,
    outside_of,
    queries_of,
    scorings_of,
)
from semantic_router_lora.fitting.report import FitReport
from semantic_router_lora.fitting.router_file import RouterFile
from semantic_router_lora.fitting.routes import NONE, RouteSet
from semantic_router_lora.fitting.separation import separated
from semantic_router_lora.reference import checked_folder_name
from semantic_router_lora.training.run import EXTRA

if TYPE_CHECKING:
    from semantic_router_lora.training.trainer import AdapterTrainer

_PARTS = "folds"


def fit_adapter(
    routes: Path | str | Mapping[str, Sequence[str]] | Iterable[Any],
    output: Path | str,
    *,
    queries: LabelledQueries | None = None,
    out_of_scope: Iterable[str] | Path | None = (),
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
        out_of_scope: queries that no route is right for, or a file as `read_out_of_scope` reads it.
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
    if type(seed) is not int or seed < 0:
        raise InputError(f"seed is {seed!r}, expected 0 or more")
    if processes is not None and (type(processes) is not int or processes < 1):
        raise InputError(f"processes is {processes!r}, expected 1 or more")
    file = RouterFile.read(Path(routes)) if isinstance(routes, (str, Path)) else None
    found = RouteSet.of(file.routes if file else routes)  # type: ignore[arg-type]
    asked = queries_of(queries, found) + outside_of(out_of_scope, found)
    asked, judged = separated(found, asked, queries_of(validation, found))
    if validation is not None and not (judged.labels != NONE).any():
        raise DataError("no query to judge by has a route, other than utterances")
    model, start = model_of(file, base, adapter)
    from semantic_router_lora.fitting.job import FitJob
    from semantic_router_lora.fitting.outcome import write_outcome
    from semantic_router_lora.fitting.trainer import RouteTrainer, fit_recipe
    from semantic_router_lora.training.checkpoints import UnfinishedRun
    from semantic_router_lora.training.model import has_fast_bf16

    target = Path(output).absolute()
    checked_folder_name(target, "output")  # the router file is going to name it
    scorings = scorings_of(file)
    weights = sorted({scoring.centroid_weight for scoring in scorings})
    recipe = fit_recipe(target.name, model.name, start, seed)
    data = digest(found, asked, judged)
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
        own_encoder=base is None and adapter is None,
        data=data,
        stated=stated,
        started=started,
    )
    unfinished.finish()
    shutil.rmtree(target / _PARTS, ignore_errors=True)
    return report
