"""What a recipe would do: sizes, and time and memory as measured on a few steps."""

from __future__ import annotations

import math
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from semantic_router_lora.errors import require
from semantic_router_lora.tables import Table
from semantic_router_lora.training.recipe import Recipe
from semantic_router_lora.training.run import EXTRA, find_base

# The first step pays for what is set up once.
_STEPS = 4


@dataclass(frozen=True)
class Plan:
    """What a run would be.

    Attributes:
        targets: names of the layers that get an adapter.
        parameters: how many numbers are trained.
        rows: of each domain.
        with_negatives: rows that have near misses.
        unused: rows that find no place in the batches of an epoch.
        steps: of the whole run.
        seconds: estimate of its length, without measuring on dev.
        memory: peak of the process's memory so far, or the GPU's, in bytes.
        device: where it was measured.
    """

    targets: list[str]
    parameters: int
    rows: dict[str, int]
    with_negatives: int
    unused: int
    steps: int
    seconds: float
    memory: int
    device: str

    def table(self, name: str) -> Table:
        """For readers."""
        hours, minutes = divmod(round(self.seconds / 60), 60)
        memory = f"{self.memory / 2**20:,.0f} MiB" if self.memory else "not measured"
        rows = ", ".join(f"{domain} {count:,}" for domain, count in self.rows.items())
        left_out = f"; {self.unused:,} find no place in an epoch" if self.unused else ""
        return Table(
            f"{name}: dry run",
            ("", "value"),
            [
                ("layers", ", ".join(self.targets)),
                ("trainable parameters", f"{self.parameters:,}"),
                ("rows", f"{rows}; {self.with_negatives:,} with near misses{left_out}"),
                ("steps", f"{self.steps:,}"),
                ("time, estimated", f"{hours} h {minutes} min on {self.device}"),
                ("peak memory so far", memory),
            ],
        )


def plan(recipe: Recipe, base_folder: Path | None = None) -> Plan:
    """Read the data, build the model, and try a few steps; nothing is written.

    Raises:
        DataError: if a file or a key of the recipe cannot be used.
        BaseModelError: if the base cannot be found.
        MissingExtraError: without the extra ``train``.
    """
    for module in EXTRA:
        require(module, "train")
    from semantic_router_lora.training.data_files import file_digests
    from semantic_router_lora.training.examples import read_examples
    from semantic_router_lora.training.model import adapted_model, device, trainable_parameters
    from semantic_router_lora.training.trainer import make_trainer

    examples = read_examples(recipe)
    file_digests(recipe)  # refuses what a run would refuse
    model = adapted_model(recipe, find_base(recipe, base_folder), device())
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(recipe, model, examples, Path(folder))
        seconds, batches = _measure(trainer)
    unused = trainer.run_callback.sampler.unused
    encoder: Any = model[0].model
    config = encoder.peft_config["default"]
    return Plan(
        targets=sorted(config.target_modules),
        parameters=trainable_parameters(model),
        rows=dict(Counter(example.domain or "unknown" for example in examples)),
        with_negatives=sum(bool(example.negatives) for example in examples),
        unused=unused,
        steps=math.ceil(batches * recipe.epochs),
        seconds=seconds * batches * recipe.epochs,
        memory=_memory(),
        device=str(model.device),
    )


def _measure(trainer: Any) -> tuple[float, int]:
    """Seconds of a step, the median of a few, and batches of an epoch."""
    batches = trainer.get_train_dataloader()
    trainer.create_optimizer()
    trainer.model.train()
    taken = []
    for inputs in islice(batches, _STEPS):
        started = time.perf_counter()
        loss = trainer.compute_loss(trainer.model, trainer._prepare_inputs(inputs))
        loss.backward()
        trainer.optimizer.step()
        trainer.optimizer.zero_grad()
        loss.item()  # wait for the device
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:] or taken), len(batches)


def _memory() -> int:
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024
