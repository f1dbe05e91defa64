"""An unfinished run on disk: what it is, and the checkpoints that it can go on from."""

from __future__ import annotations

import json
import os
import re
import shutil
import warnings
from pathlib import Path
from typing import Any

from semantic_router_lora.base_models import file_sha256
from semantic_router_lora.errors import DataError

# Written when all else of a checkpoint is: a run may be killed in the middle of writing one.
COMPLETE = "complete"
STATE = "trainer_state.json"
_FOLDER = "checkpoints"
_RUN = "run.json"
_NAME = re.compile(r"checkpoint-(\d+)")


class UnfinishedRun:
    """The folder beside the output in which a run lies until its adapter is proven.

    Args:
        output: where the adapter is going to lie, an absolute path.
        run: what decides the result, as JSON values.

    Raises:
        DataError: if there is something at the output already, or nothing can be.
    """

    def __init__(self, output: Path, run: dict[str, Any]) -> None:
        if not output.name:
            raise DataError(f"{output} is no folder to create")
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise DataError(f"{output} exists and is not empty: choose another folder or remove it")
        above = next(folder for folder in output.parents if folder.exists())
        if not above.is_dir():
            raise DataError(f"{output} cannot be created: {above} is a file")
        self.output = output
        self.folder = output.with_name(output.name + ".unproven")
        self.checkpoints = self.folder / _FOLDER
        self._run = run

    def start(self, *, resume: bool) -> Path | None:
        """Make the folder, or find the last checkpoint in it whose files are as they were written.

        Returns:
            The checkpoint to go on from; None to start from the beginning.

        Raises:
            DataError: if there is an unfinished run and ``resume`` is False, if it is not a run of
                the same recipe on the same data and base, if it has checkpoints and none of them
                can be read, or if the folder cannot be written.
        """
        if (self.folder / _RUN).is_file():  # else it was killed before it had anything
            if not resume:
                raise DataError(
                    f"{self.folder} holds an unfinished run: go on with --resume, or remove it"
                )
            self._check_same()
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            unfinished = self.folder / (_RUN + ".part")
            unfinished.write_text(json.dumps(self._run), encoding="utf-8")
            unfinished.replace(self.folder / _RUN)
        except OSError as error:
            raise DataError(f"{self.folder} cannot be written: {error}") from error
        found = sorted(self.checkpoints.iterdir(), key=_step, reverse=True)
        whole = [path for path in found if _step(path) >= 0 and (path / COMPLETE).is_file()]
        for path in set(found) - set(whole):
            shutil.rmtree(path, ignore_errors=True)
        return self._last_sound(whole)

    def _last_sound(self, newest_first: list[Path]) -> Path | None:
        """The newest checkpoint whose files are as they were written; newer ones are set aside."""
        for number, path in enumerate(newest_first):
            if self._is_sound(path):
                for damaged in newest_first[:number]:
                    warnings.warn(
                        f"{damaged} cannot be read as it was written: going on from {path.name}",
                        stacklevel=2,
                    )
                    damaged.replace(damaged.with_name(f"damaged-{damaged.name}"))
                return path
        if newest_first:
            raise DataError(
                f"no checkpoint in {self.checkpoints} can be read as it was written: remove "
                f"{self.folder} and start the run again"
            )
        return None

    def _is_sound(self, path: Path) -> bool:
        """Whether a checkpoint is intact, and so is the one that it calls the best so far."""
        if not _is_intact(path):
            return False
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
        best = state.get("best_global_step")
        return best is None or _is_intact(self.checkpoints / f"checkpoint-{best}")

    def _check_same(self) -> None:
        path = self.folder / _RUN
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
            different = [key for key in self._run if before.get(key) != self._run[key]]
        except (ValueError, AttributeError) as error:
            raise DataError(f"{path} is not valid: remove {self.folder}") from error
        if different:
            raise DataError(
                f"{self.folder} is an unfinished run of another {' and '.join(different)}: "
                f"finish it with what it was started with, or remove it"
            )

    def checkpoint(self, step: int) -> Path:
        """The folder of the checkpoint after so many steps.

        Raises:
            DataError: if it is gone, or not as it was written.
        """
        path = self.checkpoints / f"checkpoint-{step}"
        if not _is_intact(path):
            raise DataError(f"{path}, the best checkpoint, is gone or damaged: start the run again")
        return path

    def finish(self) -> None:
        """Move what is proven to its place, and only then remove what it came from.

        Raises:
            DataError: if it cannot be moved.
        """
        try:
            if self.output.is_dir():
                self.output.rmdir()  # it was empty; not every system renames over a folder
            self.folder.rename(self.output)
        except OSError as error:
            raise DataError(
                f"the adapter is proven and lies in {self.folder}, but cannot be moved to "
                f"{self.output}: {error}"
            ) from error
        shutil.rmtree(self.output / _FOLDER, ignore_errors=True)
        (self.output / _RUN).unlink(missing_ok=True)


def mark_complete(checkpoint: Path, seconds: float) -> None:
    """Mark a checkpoint as whole, and note how long the run took so far.

    All of it is on the disk before the mark is: after a loss of power, a file system may have
    renamed what it had not yet written. The mark says what the files hold, as nobody else would
    notice later that one was cut.
    """
    files = sorted(path for path in checkpoint.iterdir() if path.is_file())
    for path in files:
        _to_disk(path)
    content = {"seconds": round(seconds, 1), "sha256": {p.name: file_sha256(p) for p in files}}
    unfinished = checkpoint / (COMPLETE + ".part")
    unfinished.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    _to_disk(unfinished)
    unfinished.replace(checkpoint / COMPLETE)
    if os.name != "nt":  # where folders cannot be opened
        _to_disk(checkpoint)
        _to_disk(checkpoint.parent)


def seconds_of(checkpoint: Path) -> float:
    """How long the run had taken at a checkpoint that is intact."""
    return float(_mark(checkpoint)["seconds"])


def _to_disk(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _mark(checkpoint: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((checkpoint / COMPLETE).read_text(encoding="utf-8"))
    return content


def _is_intact(checkpoint: Path) -> bool:
    """Whether a checkpoint is marked as whole, and its files hold what they held then."""
    try:
        digests = _mark(checkpoint)["sha256"]
        return all(file_sha256(checkpoint / name) == digests[name] for name in digests)
    except (OSError, ValueError, TypeError, KeyError):
        return False


def _step(checkpoint: Path) -> int:
    found = _NAME.fullmatch(checkpoint.name)
    return int(found[1]) if found else -1
