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
        output: where the adapter is going to lie.
        run: what decides the result, as JSON values: recipe and SHA-256 of the data.
    """

    def __init__(self, output: Path, run: dict[str, Any]) -> None:
        self.folder = output.with_name(output.name + ".unproven")
        self.checkpoints = self.folder / _FOLDER
        self._run = run

    def start(self, *, resume: bool) -> Path | None:
        """Make the folder, or find the last whole checkpoint in it.

        Returns:
            The checkpoint to go on from; None to start from the beginning.

        Raises:
            DataError: if there is an unfinished run and ``resume`` is False, or if it is not a run
                of the same recipe on the same data.
        """
        if (self.folder / _RUN).is_file():  # else it was killed before it had anything
            if not resume:
                raise DataError(
                    f"{self.folder} holds an unfinished run: go on with --resume, or remove it"
                )
            self._check_same()
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / (_RUN + ".part")
        unfinished.write_text(json.dumps(self._run), encoding="utf-8")
        unfinished.replace(self.folder / _RUN)
        whole = [path for path in self.checkpoints.iterdir() if (path / COMPLETE).is_file()]
        for path in set(self.checkpoints.iterdir()) - set(whole):
            shutil.rmtree(path, ignore_errors=True)
        return max(whole, key=_step, default=None)

    def _check_same(self) -> None:
        before = json.loads((self.folder / _RUN).read_text(encoding="utf-8"))
        if different := [key for key in self._run if before.get(key) != self._run[key]]:
            raise DataError(
                f"{self.folder} is an unfinished run of another {' and '.join(different)}: "
                f"finish it with what it was started with, or remove it"
            )

    def finish(self, output: Path) -> None:
        """Move what is proven to its place."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)
        (self.folder / _RUN).unlink(missing_ok=True)
        self.folder.rename(output)


def _step(checkpoint: Path) -> int:
    found = _NAME.fullmatch(checkpoint.name)
    return int(found[1]) if found else -1
