"""The output folder: whose it is, and that one process at a time writes to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from semantic_router_lora.corpus.manifest import FILE, Manifest, read_manifest
from semantic_router_lora.errors import InputError

_LOCK = ".semantic-router-lora.lock"


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Make the folder, and keep other processes out of it."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _LOCK
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(f"output {folder} is in use by another process") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.release()


def begun_manifest(folder: Path, resume: bool) -> Manifest | None:
    """The manifest of what was begun here, if it may be gone on with.

    Raises:
        InputError: if the folder holds anything else.
    """
    if not check_folder(folder):
        return None
    if resume:
        return read_manifest(folder)
    raise InputError(f"output {folder} holds vectors: resume, or choose another folder")


def check_folder(folder: Path) -> bool:
    """Whether vectors were begun in a folder.

    Raises:
        InputError: if they were not, and it holds something else.
    """
    # what a kill leaves before there is a manifest
    passed_over = (_LOCK, f"{FILE}.part")
    held = folder.iterdir() if folder.exists() else ()
    names = sorted(path.name for path in held if path.name not in passed_over)
    if names and FILE not in names:
        raise InputError(f"output {folder} is not empty: it holds {names[0]}")
    return bool(names)
