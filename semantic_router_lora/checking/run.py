"""All checks in order: first what only looks, last what runs the adapter."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from semantic_router_lora.adapters import layout
from semantic_router_lora.checking.card import check_card, check_license, check_metadata
from semantic_router_lora.checking.code import check_code, check_paths
from semantic_router_lora.checking.contamination import check_contamination
from semantic_router_lora.checking.documents import check_json
from semantic_router_lora.checking.figures import check_figures
from semantic_router_lora.checking.files import (
    check_complete,
    check_files,
    check_picture,
    check_sizes,
)
from semantic_router_lora.checking.header import check_safetensors
from semantic_router_lora.checking.outcome import Outcome, Status, failed, skipped
from semantic_router_lora.checking.records import (
    check_evaluation,
    check_training_history,
    check_training_info,
)
from semantic_router_lora.checking.report import Check, Report
from semantic_router_lora.checking.repository import check_repository
from semantic_router_lora.checking.settings import check_base, check_config
from semantic_router_lora.checking.subject import Subject
from semantic_router_lora.checking.suites import check_general, check_suites
from semantic_router_lora.checking.tokenizer import check_tokenizer
from semantic_router_lora.checking.untrusted_text import printable
from semantic_router_lora.checking.vectors import check_fingerprint, check_vectors
from semantic_router_lora.checking.weights import (
    check_base_weights,
    check_effect,
    check_fit,
    check_weights,
)
from semantic_router_lora.errors import (
    DataError,
    InputError,
    MissingExtraError,
    SemanticRouterLoraError,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Step:
    """One check.

    Attributes:
        name: as it stands in reports.
        check: what makes it.
        needs: checks that must have passed, if with a warning; else it is not made.
        unless_failed: checks that must not have failed, but may have had nothing to check.
        file: what it is about, if it is about one file; without it, there is nothing to check.
    """

    name: str
    check: Callable[[Subject], Outcome]
    needs: tuple[str, ...] = ()
    file: str | None = None
    unless_failed: tuple[str, ...] = ()


_SEEN = ("files", "sizes")  # of files that may be read
_READ = (*_SEEN, "json")
# What must hold before a library of others gets to see the files.
_SAFE = (*_READ, "code", "paths", "safetensors", "config")
_FITTING = (*_SAFE, "weights", "base_weights", "effect", "fit")

STEPS = (
    Step("files", check_files),
    Step("complete", check_complete),
    Step("sizes", check_sizes),
    Step("repository", check_repository),
    Step("picture", check_picture, _SEEN, layout.TRAINING_PLOT),
    Step("json", check_json, _SEEN),
    Step("code", check_code, _READ),
    Step("paths", check_paths, _READ),
    Step("safetensors", check_safetensors, _SEEN, layout.WEIGHTS),
    Step("config", check_config, _READ, layout.CONFIG),
    Step("base", check_base, _READ, layout.CONFIG),
    Step("training_info", check_training_info, _READ, layout.TRAINING_INFO),
    Step("training_history", check_training_history, _READ, layout.TRAINING_HISTORY),
    Step("evaluation", check_evaluation, _READ, layout.EVALUATION),
    Step("suites", check_suites, ("evaluation",)),
    Step("general", check_general, ("evaluation",)),
    Step("metadata", check_metadata, _SEEN, layout.CARD),
    Step("license", check_license, ("metadata",)),
    Step("card", check_card, (*_SAFE, "metadata", "evaluation"), layout.CARD),
    Step("weights", check_weights, _SAFE, layout.WEIGHTS),
    Step("effect", check_effect, ("weights",)),
    Step("base_weights", check_base_weights, (*_SAFE, "base")),
    Step("fit", check_fit, ("weights", "base_weights")),
    Step("tokenizer", check_tokenizer, (*_SAFE, "base_weights"), layout.TOKENIZER),
    Step("vectors", check_vectors, _FITTING, unless_failed=("tokenizer",)),
    Step("fingerprint", check_fingerprint, ("vectors", "evaluation")),
    Step("figures", check_figures, ("fingerprint", "suites")),
    Step("contamination", check_contamination),
)
"""The checks in the order in which they are made."""


def check_adapter(
    folder: Path,
    *,
    name: str | None = None,
    base: str | None = None,
    data: Sequence[Path] = (),
    rerun: bool = True,
    show_progress: bool = False,
) -> Report:
    """Check an adapter folder, trusting nothing in it.

    Args:
        folder: with the adapter's files; also a snapshot in the Hub's cache.
        name: to show in the report; None takes the folder's.
        base: folder or Hub id of the base, if not where its name leads.
        data: files of triplets that it was trained on, to be held against the bundled suites.
        rerun: run the benchmark again, which takes a minute.
        show_progress: draw progress bars on standard error.

    Raises:
        InputError: if there is no such folder.
        DataError: if a file of the training data cannot be read.
        MissingExtraError: for training data in Parquet without pyarrow.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder")
    folder = folder.resolve()
    subject = Subject(name or folder.name, folder, base, tuple(data), rerun, show_progress)
    ended: dict[str, Status] = {}
    checks = []
    for step in STEPS:
        outcome = _outcome(step, subject, ended)
        ended[step.name] = outcome.status
        checks.append(Check(step.name, outcome.status, printable(outcome.message)))
    return Report(
        name=subject.name,
        folder=str(folder),
        base=subject.named_base,
        fingerprint=subject.embedder.fingerprint if subject.embedder else None,
        checks=checks,
        figures=subject.figures,
    )


def _outcome(step: Step, subject: Subject, ended: dict[str, Status]) -> Outcome:
    stopped = [name for name in step.needs if ended[name] in ("fail", "skip")]
    stopped += [name for name in step.unless_failed if ended[name] == "fail"]
    if stopped:
        return skipped(f"not made, because {stopped[0]!r} did not pass")
    if step.file is not None and not subject.has(step.file):
        return skipped(f"no {step.file}")
    if step.name == "figures" and not subject.rerun:
        return skipped("the benchmark was not run again, as asked for")
    try:
        return step.check(subject)
    except (DataError, MissingExtraError):
        raise  # of the data that the caller gave: the checks turn those of the adapter's files
    except SemanticRouterLoraError as error:
        return failed([str(error)])
    except Exception as error:  # a foreign file may provoke anything, and must not pass by it
        logger.debug("check %s of %s", step.name, subject.folder, exc_info=True)
        return failed([f"it could not be checked: {type(error).__name__}: {error}"])
