"""One recipe ends with the same weights: again, killed, stopped, and in two processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_training import COMMAND, RECIPE, write_recipe

from semantic_router_lora.adapters import layout
from semantic_router_lora.engines import processor
from semantic_router_lora.errors import DataError
from semantic_router_lora.training.recipe_file import load_recipe
from semantic_router_lora.training.run import train

pytest.importorskip("sentence_transformers")


@pytest.fixture(scope="module")
def whole_run(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("run")
    train(load_recipe(write_recipe(folder)), folder / "whole", base_folder=tiny_base)
    return folder / "whole"


def weights(folder: Path) -> bytes:
    return (folder / layout.WEIGHTS).read_bytes()


def test_the_same_recipe_gives_the_same_weights(recipe, tiny_base, whole_run, tmp_path):
    train(recipe, tmp_path / "again", base_folder=tiny_base)
    assert weights(tmp_path / "again") == weights(whole_run)


def test_interpolation_keeps_a_share_of_the_update(recipe, tiny_base, whole_run, tmp_path):
    train(replace(recipe, interpolation=0.5), tmp_path / "half", base_folder=tiny_base)
    assert weights(tmp_path / "half") == weights(whole_run)
    config = json.loads((tmp_path / "half" / layout.CONFIG).read_text())
    assert config["lora_alpha"] == recipe.lora_alpha / 2


def test_weights_of_half_precision_take_half_the_room(recipe, tiny_base, whole_run, tmp_path):
    folder = tmp_path / "half"
    train(replace(recipe, weights_dtype="float16"), folder, base_folder=tiny_base)
    half, whole = load_file(folder / layout.WEIGHTS), load_file(whole_run / layout.WEIGHTS)
    assert half.keys() == whole.keys()
    for name, weight in whole.items():
        assert half[name].dtype == torch.float16
        assert torch.equal(half[name], weight.half())


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_result(
    recipe, recipe_file, tiny_base, whole_run, tmp_path
):
    output = tmp_path / "killed"
    command = [*COMMAND, str(recipe_file), "--output", str(output), "--base-folder", str(tiny_base)]
    checkpoints = output.with_name("killed.unproven") / "checkpoints"
    run = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # sums over another number of threads are rounded in another order
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
    )
    until(lambda: (checkpoints / "checkpoint-8" / "complete").is_file(), run)  # second epoch
    run.kill()
    run.wait()
    assert not output.exists()
    # and what was being written when it was killed is no checkpoint
    shutil.copytree(checkpoints / "checkpoint-8", checkpoints / "checkpoint-99")
    (checkpoints / "checkpoint-99" / "complete").unlink()
    (checkpoints / "checkpoint-99" / "trainer_state.json").write_text("{")

    with pytest.raises(DataError, match="holds an unfinished run: go on with --resume"):
        train(recipe, output, base_folder=tiny_base)
    with pytest.raises(DataError, match="unfinished run of another recipe"):
        train(replace(recipe, r=4), output, base_folder=tiny_base, resume=True)
    with pytest.raises(DataError, match="unfinished run of another base"):
        train(recipe, output, resume=True)

    train(recipe, output, base_folder=tiny_base, resume=True)
    assert weights(output) == weights(whole_run)
    read = [json.loads((f / layout.TRAINING_HISTORY).read_text()) for f in (output, whole_run)]
    assert [row.get("eval_margin") for row in read[0]] == [r.get("eval_margin") for r in read[1]]
    assert not checkpoints.exists()
    assert not (output / "run.json").exists()


def until(holds: Any, run: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert run.poll() is None, "the run ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_ctrl_c_ends_the_step_and_keeps_it(recipe_file, tiny_base, tmp_path):
    output = tmp_path / "stopped"
    recipe_file.write_text(RECIPE.replace("checkpoint_steps: 2", "checkpoint_steps: 0"))
    command = [*COMMAND, str(recipe_file), "--output", str(output), "--base-folder", str(tiny_base)]
    run = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
    )
    assert run.stderr is not None
    seen = b""
    while b"/15" not in seen:  # the bar of a run of 15 steps
        seen += run.stderr.read(1)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 130, errors
    assert b"go on with --resume" in errors
    folder = output.with_name("stopped.unproven") / "checkpoints"
    assert [path for path in folder.iterdir() if (path / "complete").is_file()]
    assert not output.exists()
    # and what was stopped within an epoch goes on to what it would have been
    recipe = load_recipe(recipe_file)
    train(recipe, output, base_folder=tiny_base, resume=True)
    train(recipe, tmp_path / "not stopped", base_folder=tiny_base)
    assert weights(output) == weights(tmp_path / "not stopped")


def start_two(command: list[str]) -> list[subprocess.Popen[str]]:
    """Start a command as torchrun does: as two processes that find each other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ
            | shared
            | {"RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"},
        )
        for rank in range(2)
    ]


# bfloat16 would round otherwise in each process's smaller batches.
IN_FLOAT32 = """
from semantic_router_lora.engines import processor
processor.bfloat16_is_fast = lambda: False
from semantic_router_lora.cli import main
main()
"""


@pytest.mark.slow
def test_two_processes_train_as_one(recipe_file, tiny_base, tmp_path, monkeypatch):
    """Killed in the second epoch and resumed, they end with the weights of one process."""
    monkeypatch.setattr(processor, "bfloat16_is_fast", lambda: False)
    recipe_file.write_text(
        RECIPE + "lora_dropout: 0.0\nbase_dropout: 0.0\ndistillation_weight: 2.0\n"
        "guide_margin: 0.05\ntarget_modules: all-linear\n"
    )
    train(load_recipe(recipe_file), tmp_path / "one", base_folder=tiny_base)
    target = ["--output", str(tmp_path / "two"), "--base-folder", str(tiny_base)]
    command = [sys.executable, "-c", IN_FLOAT32, "train", str(recipe_file), *target]
    checkpoint = tmp_path / "two.unproven" / "checkpoints" / "checkpoint-8"
    killed = start_two(command)
    until(lambda: (checkpoint / "complete").is_file(), killed[0])
    for process in killed:
        process.kill()
        process.communicate()
    done = [process.communicate(timeout=200) for process in start_two([*command, "--resume"])]
    assert "".join(output for output, _ in done).count("Adapter written to") == 1, done
    one, two = (load_file(tmp_path / name / layout.WEIGHTS) for name in ("one", "two"))
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-3, atol=1e-5)
    info = json.loads((tmp_path / "two" / layout.TRAINING_INFO).read_text())
    assert info["hardware"]["processes"] == 2
