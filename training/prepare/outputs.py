"""What a run made, as committed in outputs.json: for comparing a later run with it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from prepare.rows import Rows
from semantic_router_lora.errors import DataError

COMMITTED = Path(__file__).with_name("outputs.json")


def entry(rows: Rows, output: Path, originals: str, about: dict[str, str]) -> dict[str, Any]:
    """The record of one source.

    Args:
        rows: finished.
        output: the file written.
        originals: hash of what was read.
        about: repository, snapshot and licence.
    """
    return {
        **about,
        "read": rows.read,
        "rows": len(rows.kept),
        "dropped": dict(sorted(rows.dropped.items())),
        "output_sha256": hashlib.sha256(output.read_bytes()).hexdigest(),
        "originals_sha256": originals,
    }


def read(path: Path) -> dict[str, Any]:
    """The records of all sources; none if there is no such file.

    Raises:
        DataError: if it is not a JSON object of objects.
    """
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable JSON: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(v, dict) for v in content.values()):
        raise DataError(f"{path}: expected an object of objects")
    return content


def write(path: Path, entries: dict[str, Any]) -> None:
    """Write the records, those of other sources kept."""
    content = json.dumps(read(path) | entries, indent=2, sort_keys=True, ensure_ascii=False)
    path.write_text(content + "\n", encoding="utf-8")


def differences(committed: dict[str, Any], fresh: dict[str, Any]) -> list[str]:
    """What is not as committed, one line each."""
    lines = []
    for source, record in fresh.items():
        expected = committed.get(source)
        if expected is None:
            lines.append(f"{source}: not in the committed outputs")
            continue
        for key in sorted({*record, *expected}):
            old, new = expected.get(key), record.get(key)
            if old != new:
                lines.append(f"{source}: {key} is {new}, committed is {old}")
    return lines
