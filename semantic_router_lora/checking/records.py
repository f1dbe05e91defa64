"""The records of training and evaluation: are they there, and do they say what they should."""

from __future__ import annotations

import re
from typing import Any

from semantic_router_lora.adapters import layout
from semantic_router_lora.checking.outcome import Outcome, failed, passed
from semantic_router_lora.checking.subject import Subject
from semantic_router_lora.errors import DataError

_SHA256 = re.compile(r"[0-9a-f]{64}")
# What `semantic-router-lora train` writes, as far as somebody else can write it too.
_INFO: dict[str, type | tuple[type, ...]] = {
    "base_model": str,
    "base_model_sha256": str,
    "recipe": dict,
    "data": dict,
    "hardware": dict,
    "versions": dict,
}
_DATA: dict[str, type | tuple[type, ...]] = {"rows": int, "domains": dict, "sha256": dict}


def check_training_info(subject: Subject) -> Outcome:
    """Recipe, data with their SHA-256, hardware and versions are recorded."""
    info = subject.documents[layout.TRAINING_INFO]
    problems = _unlike(info, _INFO, "")
    data = info.get("data")
    if isinstance(data, dict):
        problems += _unlike(data, _DATA, "data.")
        domains, digests = data.get("domains"), data.get("sha256")
        if isinstance(domains, dict) and not _all(domains, lambda v: type(v) is int and v > 0):
            problems.append("data.domains does not give the rows of each domain")
        if isinstance(digests, dict) and not _all(
            digests, lambda v: isinstance(v, str) and _SHA256.fullmatch(v) is not None
        ):
            problems.append("data.sha256 does not give the SHA-256 of each file")
    if problems:
        return failed([f"{layout.TRAINING_INFO}: {problem}" for problem in problems])
    return passed(f"{data['rows']:,} rows of {', '.join(sorted(data['domains']))}")


def _unlike(content: dict[str, Any], fields: dict[str, Any], prefix: str) -> list[str]:
    return [
        f"{prefix}{name} is {str(content.get(name))[:40]!r}, expected {kind.__name__}"
        for name, kind in fields.items()
        if not isinstance(content.get(name), kind) or isinstance(content.get(name), bool)
    ]


def _all(content: dict[str, Any], wanted: Any) -> bool:
    return bool(content) and all(map(wanted, content.values()))


def check_training_history(subject: Subject) -> Outcome:
    """A list of steps, each of them numbers by name."""
    history = subject.documents[layout.TRAINING_HISTORY]
    for position, entry in enumerate(history):
        numbers = isinstance(entry, dict) and _all(entry, lambda v: type(v) in (int, float))
        if not numbers or "step" not in entry:
            return failed(
                [f"{layout.TRAINING_HISTORY}: entry {position} is not a step with its numbers"]
            )
    if not any("loss" in entry for entry in history):
        return failed([f"{layout.TRAINING_HISTORY}: no step has a loss"])
    return passed(f"{max(entry['step'] for entry in history):,} steps")


def check_evaluation(subject: Subject) -> Outcome:
    """Results of this package's benchmark, of base and adapter, on all of its test suites."""
    from semantic_router_lora.benchmark.results import BASELINE
    from semantic_router_lora.benchmark.suite import DOMAINS, GENERAL
    from semantic_router_lora.card.figures import checked_results

    try:
        results = checked_results(subject.path(layout.EVALUATION))
    except DataError as error:
        return failed([str(error).replace(str(subject.path(layout.EVALUATION)), layout.EVALUATION)])
    problems = []
    if results.seed < 0:
        problems.append(f"its seed is {results.seed}")
    if BASELINE not in results.embedders or len(results.embedders) != 2:
        problems.append(
            f"it holds {', '.join(results.embedders)}, expected {BASELINE} and this adapter: "
            f"semantic-router-lora benchmark --adapter FOLDER"
        )
    measured = [suite.domain for suite in results.suites]
    if missing := [domain for domain in (*DOMAINS, GENERAL) if domain not in measured]:
        problems.append(f"it was not measured on {', '.join(missing)}")
    if len(set(measured)) < len(measured):
        problems.append("a domain stands there twice")
    if problems:
        return failed([f"{layout.EVALUATION}: {problem}" for problem in problems])
    subject.results = results
    return passed(f"measured on {', '.join(measured)}")
