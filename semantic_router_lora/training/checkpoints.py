"""An unfinished run on disk: what it is, and the checkpoints that it can go on from."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from semantic_router_lora.errors import DataError

# Written when all else of a checkpoint is: a run may be killed in the middle of writing one.
COMPLETE = "complete"
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
        self.output = output
        self.folder = output.with_name(output.name + ".unproven")
        self.checkpoints = self.folder / _FOLDER
        self._run = run

    def start(self, *, resume: bool) -> Path | None:
        """Make the folder, or find the last whole checkpoint in it.

        Returns:
            The checkpoint to go on from; None to start from the beginning.

        Raises:
            DataError: if there is an unfinished run and ``resume`` is False, if it is not a run of
                the same recipe on the same data and base, or if the folder cannot be written.
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
        found = list(self.checkpoints.iterdir())
        whole = [path for path in found if (path / COMPLETE).is_file()]
        for path in set(found) - set(whole):
            shutil.rmtree(path, ignore_errors=True)
        return max(whole, key=_step, default=None)

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
            DataError: if it is gone.
        """
        path = self.checkpoints / f"checkpoint-{step}"
        if not (path / COMPLETE).is_file():
            raise DataError(f"{path}, the best checkpoint, is gone: start the run again")
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
    """Mark a checkpoint as whole, and note how long the run took so far."""
    unfinished = checkpoint / (COMPLETE + ".part")
    unfinished.write_text(f"{seconds:.1f}\n", encoding="utf-8")
    unfinished.replace(checkpoint / COMPLETE)


def seconds_of(checkpoint: Path) -> float:
    """How long the run had taken at a whole checkpoint."""
    return float((checkpoint / COMPLETE).read_text(encoding="utf-8"))


def _step(checkpoint: Path) -> int:
    found = _NAME.fullmatch(checkpoint.name)
    return int(found[1]) if found else -1
