"""What happens beside the steps of a run: what is shown, what is kept, and how it is stopped."""

from __future__ import annotations

import signal
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from transformers import ProgressCallback, TrainerCallback

from semantic_router_lora.adapters import layout
from semantic_router_lora.training.checkpoints import mark_complete
from semantic_router_lora.training.dev import SCORE
from semantic_router_lora.training.plot import plot_history
from semantic_router_lora.training.processes import is_distributed

# How the figures that are shown while a run goes on are called there.
_SHOWN = {
    "loss": "loss",
    "ranking": "ranking",
    "contrastive": "contrastive",
    "distillation": "distillation",
    f"eval_{SCORE}": "dev average precision",
    "eval_margin": "margin",
}


class RunProgress(ProgressCallback):
    """The trainer's bar, with a line of what matters at each log instead of everything."""

    def __init__(self, run: RunCallback) -> None:
        super().__init__()
        self._run = run

    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Say how many rows no batch takes."""
        super().on_train_begin(args, state, control, **others)  # type: ignore[no-untyped-call]
        sampler = self._run.sampler
        if self.training_bar is not None and (unused := sampler.unused):
            self.training_bar.write(
                f"{unused:,} rows of an epoch find no place in its {len(sampler):,} batches, in "
                f"which no text stands twice"
            )

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **others: Any
    ) -> None:
        """Write the loss and its terms, or the figures on dev."""
        found = logs or {}
        shown = [f"{name} {found[key]:.4f}" for key, name in _SHOWN.items() if key in found]
        if shown and state.is_world_process_zero and self.training_bar is not None:
            self.training_bar.write(f"step {state.global_step}: {', '.join(shown)}")


class RunCallback(TrainerCallback):
    """Marks whole checkpoints; on the first Ctrl-C, lets the step end and writes one.

    Attributes:
        sampler: gives the batches; set when the trainer makes it.
        interrupted: whether Ctrl-C came.
        seconds_before: time that the run took before it was resumed.
    """

    def __init__(self, by_epoch: bool) -> None:
        self.sampler: Any = None
        self.interrupted = False
        self.seconds_before = 0.0
        self._started = time.monotonic()
        self._by_epoch = by_epoch
        self._before: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Take over Ctrl-C, which only the main thread may."""
        self._started = time.monotonic()

        def stop(*signal_and_frame: Any) -> None:
            self.interrupted = True
            self.release()  # a second one stops at once

        if args.world_size > 1:  # torchrun stops its processes, one here, one there
            return
        try:
            self._before = signal.signal(signal.SIGINT, stop)
        except ValueError:  # another thread
            return

    @property
    def seconds(self) -> float:
        """How long the run has taken, what it took before it was resumed included."""
        return self.seconds_before + time.monotonic() - self._started

    def release(self) -> None:
        """Give Ctrl-C back."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Tell the sampler: of several processes, a resumed one's wrappers would hide it."""
        self.sampler.set_epoch(int(state.epoch + 1e-6))

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Stop between two steps."""
        if self.interrupted:
            control.should_training_stop = True
            # an epoch that is over is saved as always
            control.should_save = not (self._by_epoch and self._ends_epoch(state))

    def on_epoch_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """A run that was stopped within an epoch measures and saves nothing for its end."""
        if self.interrupted and not self._ends_epoch(state):
            control.should_evaluate = control.should_save = False

    def _ends_epoch(self, state: Any) -> bool:
        return bool(state.global_step % len(self.sampler) == 0)

    def on_save(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """All files of the checkpoint are written; draw the run as it is so far."""
        if is_distributed():
            torch.distributed.barrier()  # each process writes some
        if not state.is_world_process_zero:
            return
        checkpoints = Path(args.output_dir)
        mark_complete(checkpoints / f"checkpoint-{state.global_step}", self.seconds)
        draw(state.log_history, checkpoints.parent, None)


def draw(history: list[dict[str, Any]], folder: Path, best_step: int | None) -> None:
    """Draw a run; a picture that fails is no reason to lose one."""
    try:
        plot_history(history, folder / layout.TRAINING_PLOT, best_step)
    except Exception as error:
        warnings.warn(f"the run could not be drawn: {error}", stacklevel=2)
