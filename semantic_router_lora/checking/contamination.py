"""Whether texts of the bundled suites were trained on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from semantic_router_lora.adapters import layout
from semantic_router_lora.base_models import file_sha256
from semantic_router_lora.benchmark.suite import bundled_digests
from semantic_router_lora.checking.outcome import Outcome, failed, passed, skipped, warned
from semantic_router_lora.checking.subject import Subject
from semantic_router_lora.checking.suite_texts import SuiteTexts
from semantic_router_lora.checking.suites import bundled_suites
from semantic_router_lora.data.files import file_rows
from semantic_router_lora.errors import DataError

# Fields of a row that are no texts to train on.
_LABELS = frozenset({"domain", "source", "group", "trap", "label", "id", "language"})


def check_contamination(subject: Subject) -> Outcome:
    """No text of the test suites, and none of dev, is among the training data that are given.

    Nor does the adapter's own record name a test suite, whatever is given.
    """
    recorded, tests = _recorded(subject), bundled_digests("test")
    if named := [name for name, digest in recorded.items() if digest in tests]:
        return failed(
            [
                f"{layout.TRAINING_INFO} records {name[:80]}, which is the test suite "
                f"{tests[recorded[name]]}"
                for name in named
            ]
        )
    if not subject.data:
        return skipped("no training data given (--data FILE)")
    indexes = {split: SuiteTexts(bundled_suites(split)) for split in ("test", "dev")}
    copied: dict[str, str] = {}  # what was found, by its place in a suite
    doubtful: dict[str, str] = {}
    count = 0
    for path in subject.data:
        for place, text in _texts(path):
            count += 1
            for split, index in indexes.items():
                like = index.like(text)
                if like is not None:
                    where = f"{split} ({like.place})"
                    found = copied if split == "test" and like.is_copy else doubtful
                    found.setdefault(where, f"{place} {like.how} a text of {where}: {text[:120]!r}")
    if copied:
        return failed(
            [f"texts of {len(copied):,} rows of the test suites were trained on:", *copied.values()]
        )
    remarks = [*doubtful.values(), *_not_the_recorded_files(subject)]
    if remarks:
        return warned(remarks)
    return passed(f"none of {count:,} texts is in the bundled suites, nor nearly")


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    """The place and content of every text of a file, of whatever shape its rows are.

    Raises:
        DataError: if the file cannot be read, or holds no texts.
    """
    empty = True
    for number, row in file_rows(path):
        if not isinstance(row, dict):
            raise DataError(f"{path}:{number}: expected an object, got {type(row).__name__}")
        for name, value in row.items():
            if name in _LABELS:
                continue
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and text.strip():
                    empty = False
                    yield f"{path.name}:{number}", text
    if empty:
        raise DataError(f"{path}: holds no texts")


def _not_the_recorded_files(subject: Subject) -> list[str]:
    """Whether the data that are given are those that the adapter says it was trained on."""
    given = {file_sha256(path) for path in subject.data}
    return [
        f"{layout.TRAINING_INFO} records {name[:80]}, which was not given, or not as it was then"
        for name, digest in sorted(_recorded(subject).items())
        if digest not in given
    ]


def _recorded(subject: Subject) -> dict[str, str]:
    """SHA-256 of the files that the adapter says it was trained on, by their names."""
    info: dict[str, Any] = subject.documents.get(layout.TRAINING_INFO, {})
    data = info.get("data")
    found = data.get("sha256") if isinstance(data, dict) else None
    if not isinstance(found, dict):
        return {}
    return {name: digest for name, digest in found.items() if isinstance(digest, str)}
