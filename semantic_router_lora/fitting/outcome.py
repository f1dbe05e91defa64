"""From what was held out to what is written: the report and, if it helps, adapter and router."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semantic_router_lora.base_models import BaseModel
from semantic_router_lora.benchmark.measure import Figure
from semantic_router_lora.card.markdown import plain
from semantic_router_lora.card.stated import Stated
from semantic_router_lora.card.write import write_card
from semantic_router_lora.fitting.general import general_precision
from semantic_router_lora.fitting.held_out import (
    HeldOut,
    Rise,
    best_scoring,
    choices,
    rise,
)
from semantic_router_lora.fitting.job import FitJob
from semantic_router_lora.fitting.plots import plot_confusion
from semantic_router_lora.fitting.report import FitReport, changed_choices
from semantic_router_lora.fitting.rewriting import rewritten, write_router
from semantic_router_lora.fitting.router_file import RouterFile
from semantic_router_lora.fitting.rows import training_rows
from semantic_router_lora.fitting.scores import Scoring
from semantic_router_lora.fitting.thresholds import (
    apply_thresholds,
    calibration_error,
    fit_thresholds,
    out_of_scope_auroc,
)
from semantic_router_lora.tables import Table
from semantic_router_lora.training.checkpoints import UnfinishedRun

if TYPE_CHECKING:
    from semantic_router_lora.training.trainer import AdapterTrainer

ADAPTER = "adapter"
_JSON = "report.json"


def write_outcome(
    job: FitJob,
    held_out: HeldOut,
    scorings: Sequence[Scoring],
    file: RouterFile | None,
    unfinished: UnfinishedRun,
    run: AdapterTrainer | None,
    *,
    base: BaseModel,
    own_encoder: bool,
    data: str,
    stated: Stated,
    started: float,
) -> FitReport:
    """Decide, and write all files of a fit into its unfinished folder.

    Args:
        job: the fit.
        held_out: what it is judged by.
        scorings: that the router may have, its own first.
        file: the router file; None if there was none.
        unfinished: where to write.
        run: the training on everything, if it was done.
        base: what was adapted.
        own_encoder: whether that is the router's encoder, and not one named in its place.
        data: SHA-256 of routes and queries.
        stated: what the card says of the licence.
        started: on the monotonic clock.
    """
    labels = held_out.labels
    before = choices(held_out, held_out.before, scorings)
    after = choices(held_out, held_out.after, scorings)
    as_it_is = choices(held_out, held_out.before, scorings[:1])
    whole, rescored, share = (
        rise(*pair, labels, job.seed)
        for pair in ((as_it_is, after), (as_it_is, before), (before, after))
    )
    kept = whole.holds and share.is_positive
    best = [best_scoring(held_out, found, scorings) for found in (held_out.before, held_out.after)]
    alone = choices(held_out, held_out.before, best[:1])
    adapted = choices(held_out, held_out.after, best[1:])
    applied = (
        apply_thresholds(alone, labels, held_out.parts),
        apply_thresholds(adapted, labels, held_out.parts),
    )
    final = adapted if kept else alone  # what the thresholds are for
    thresholds = fit_thresholds(final, labels)
    auroc = tuple(out_of_scope_auroc(found.scores, labels) for found in (before, after))
    general: Any = None
    folder = unfinished.folder
    if kept:
        run = run or job.train()
        job.progress("proving the adapter, and what it costs elsewhere")
        _write_adapter(job, run, base, folder, data, held_out)
        texts_after = general_precision(job.trainer.encode, job.seed)
        job.trainer.reset()
        general = (general_precision(job.trainer.encode, job.seed), texts_after)
        notes = _notes(job, whole, share, len(np.unique(held_out.folds)), general)
        write_card(folder / ADAPTER, replace(stated, notes=notes), base=str(base.folder))
    adapter = unfinished.output / ADAPTER if kept else None
    improved = kept or rescored.holds
    if not kept and not own_encoder:
        improved = False  # the file's encoder is another one than what was measured
    router = unfinished.output / _router_name(file.path) if improved and file else None
    report = FitReport(
        kept=kept,
        adapter=str(adapter) if adapter else None,
        router=str(router) if router else None,
        rise=whole,
        share=share,
        rescored=rescored,
        own_scoring=scorings[0],
        scoring_before=best[0],
        scoring=best[1],
        folds=len(np.unique(held_out.folds)),
        routes=job.routes.names,
        thresholds=thresholds,
        calibration_error=(
            calibration_error(np.clip(final.scores, 0, 1), final.right),
            applied[kept].calibration_error,
        ),
        applied=applied,
        auroc=None if None in auroc else auroc,  # type: ignore[arg-type]
        general=general,
        seconds=round(time.monotonic() - started, 1),
        **changed_choices(held_out, before, after),
    )
    if router and file:
        named = f"{base.name}+lora:{adapter}" if adapter else None
        chosen = best[kept]
        content = rewritten(file, named, chosen, thresholds, job.routes.names)
        write_router(content, folder / router.name)
    _write_report(report, folder)
    return report


def _router_name(path: Path) -> str:
    """The name of the router file, unless a file of the fit itself is called that."""
    suffix = path.suffix.lower()  # lines before 1.0 know no other
    name = path.stem + suffix
    return name if name not in (_JSON, "run.json") else f"router{suffix}"


def _notes(
    job: FitJob, found: Rise, share: Rise, folds: int, general: tuple[Figure, Figure]
) -> str:
    judged = f"in {folds} folds" if folds > 1 else "not learned from"
    return (
        f"Fitted to {len(job.routes.names):,} routes with {len(job.routes.texts):,} utterances "
        f"and {len(job.queries):,} labelled queries. Of {found.queries:,} held-out queries "
        f"({judged}), {found.before:.3f} were routed right by the router as it was and "
        f"{found.after:.3f} with an adapter trained without them: {found}. The adapter's own "
        f"share, beside a router without it that scores as well as it can: {share}.\n\n"
        f"On the bundled general suite, average precision is {general[0].value:.3f} before and "
        f"{general[1].value:.3f} with the adapter. It is made for these routes, and other texts "
        f"may be told apart less well."
    )


def _write_adapter(
    job: FitJob,
    run: AdapterTrainer,
    base: BaseModel,
    folder: Path,
    data: str,
    held_out: HeldOut,
) -> None:
    from semantic_router_lora.training.run import training_info, write_adapter

    target = folder / ADAPTER
    shutil.rmtree(target, ignore_errors=True)  # of a fit that was stopped here
    target.mkdir()
    rows, _ = training_rows(job.everything(), job.seed)
    recipe = job.trainer.recipe
    info = training_info(
        recipe, base, rows, {"routes and queries": data}, run, run.run_callback.seconds
    )
    info |= {
        "best_step": run.state.global_step,
        "fit": {
            "routes": len(job.routes.names),
            "utterances": len(job.routes.texts),
            "queries": len(job.queries),
            "held_out": len(held_out.texts),
        },
    }
    write_adapter(base, job.trainer.model, run, target, info)


def _write_report(report: FitReport, folder: Path) -> None:
    content = json.dumps(report.to_dict(), indent=1, ensure_ascii=False)
    (folder / _JSON).write_text(content + "\n", encoding="utf-8")
    tables = [_escaped(table).to_markdown() for table in report.tables()]
    parts = ["# Fit", report.verdict() + ".", *tables]
    (folder / "report.md").write_text("\n\n".join(parts), encoding="utf-8")
    plot_confusion(report, folder / "confusion.png")


def _escaped(table: Table) -> Table:
    """Texts of users, so that they cannot break a table of Markdown."""
    return replace(table, rows=[tuple(map(plain, row)) for row in table.rows])
