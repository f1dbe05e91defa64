"""Writing a folder that appears when it is complete, or not at all."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from semantic_router_lora.errors import InputError


def check_parent(output: Path) -> None:
    """Refuse an output without a folder to lie in, before the work that fills it.

    Raises:
        InputError: if there is no such folder.
    """
    if not output.resolve().parent.is_dir():
        raise InputError(f"output {output}: there is no folder {output.resolve().parent}")


@contextmanager
def folder_beside(output: Path) -> Iterator[Path]:
    """An empty folder beside the output, removed at the end if it is still there.

    Raises:
        InputError: if it cannot be made.
    """
    target = output.resolve()
    folder = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        try:
            folder.mkdir()
        except OSError as error:
            raise InputError(f"output {output} cannot be made: {error.strerror}") from error
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
