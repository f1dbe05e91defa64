"""Folds that other processes do."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from semantic_router_lora.base_models import resolve_base
from semantic_router_lora.errors import InputError
from semantic_router_lora.fitting.fit import fit_adapter
from semantic_router_lora.fitting.helpers import Helpers, Task, hold_out_folds, shares
from semantic_router_lora.fitting.job import FitJob
from semantic_router_lora.fitting.routes import Queries, RouteSet
from semantic_router_lora.fitting.trainer import RouteTrainer, fit_recipe

ROUTES = {
    "loan": ["renew my loan", "can I keep the book longer?", "extend the due date"],
    "card": ["I lost my library card", "a new card please", "card for my child"],
}


def test_folds_are_dealt_so_that_all_are_done_at_about_the_same_time():
    five = [0, 1, 2, 3, 4]
    assert shares(five, 1) == (five, [])
    assert shares(five, 2) == ([0, 1], [[2, 3, 4]])
    assert shares(five, 3) == ([0], [[1, 3], [2, 4]])
    assert shares(five, 6) == ([], [[0], [1], [2], [3], [4]])
    assert shares([3], 2) == ([], [[3]])
    assert shares([3], 4) == ([], [[3]])
    assert shares([], 4) == ([], [])


@pytest.mark.parametrize("processes", [0, -1, 1.5, True])
def test_processes_out_of_range(tmp_path, processes):
    with pytest.raises(InputError, match="processes"):
        fit_adapter(ROUTES, tmp_path / "out", processes=processes)


def test_helpers_do_not_outlive_who_started_them(tmp_path):
    script = (
        "import sys, time, pathlib; sys.path[:] = sys.argv[2:]\n"
        "from test_fitting_helpers import Sleeper\n"
        "from semantic_router_lora.fitting.helpers import Helpers, Task\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "with Helpers([Task(Sleeper(folder), [0], 1)], folder):\n"
        "    time.sleep(600)\n"
    )
    path = [str(Path(__file__).parent), *sys.path]
    starter = subprocess.Popen([sys.executable, "-c", script, str(tmp_path), *path])
    pid = int(wait_for(tmp_path / "pid"))
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    deadline = time.monotonic() + 30
    while running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running(pid)


class Sleeper:
    """A job that says who does it and takes long."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __call__(self):
        return self

    def hold_out(self, fold: int) -> None:
        (self.folder / "pid.part").write_text(str(os.getpid()))
        (self.folder / "pid.part").rename(self.folder / "pid")
        time.sleep(600)


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return path.read_text()


def running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_helpers_are_killed_when_this_process_gives_up(tmp_path):
    with pytest.raises(KeyboardInterrupt), Helpers([Task(Sleeper(tmp_path), [0], 1)], tmp_path):
        pid = int(wait_for(tmp_path / "pid"))
        raise KeyboardInterrupt
    assert not running(pid)


class Failing(Sleeper):
    """A job that cannot be done."""

    def hold_out(self, fold: int) -> None:
        if fold:
            raise ValueError("no such fold")


def test_helpers_end_well_and_what_failed_is_said(tmp_path, caplog):
    with Helpers([Task(Failing(tmp_path), [0], 1)], tmp_path) as helpers:
        helpers.join()
    assert not caplog.text
    with Helpers([Task(Failing(tmp_path), [0, 1], 1)], tmp_path) as helpers:
        helpers.join()
    assert "status 1: ValueError: no such fold" in caplog.text


@pytest.mark.slow
def test_folds_are_the_same_whoever_does_them(tiny_base, tmp_path, caplog):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    alone, together, left = (make_job(tiny_base, tmp_path / name) for name in "abc")
    torch.set_num_threads(1)
    for fold in alone.unfinished():
        alone.hold_out(fold)
    torch.set_num_threads(2)
    assert hold_out_folds(together, 2) is not None
    assert torch.get_num_threads() == 2
    assert (together.folder / "helper-0.log").exists()
    assert not caplog.text
    # a helper that fails leaves its folds to this process
    left.elsewhere = lambda: functools.partial(os._exit, 3)  # type: ignore[method-assign]
    assert hold_out_folds(left, 2) is not None
    torch.set_num_threads(threads)
    assert "status 3" in caplog.text
    expected = alone.held_out()
    for found in (together.held_out(), left.held_out()):
        assert found.texts == expected.texts
        for weight, neighbours in expected.after.items():
            assert np.array_equal(found.after[weight].similarities, neighbours.similarities)


def make_job(base: Path, folder: Path) -> FitJob:
    found = resolve_base(str(base))
    trainer = RouteTrainer(fit_recipe("tiny", found.name, None, 1), found, None)
    routes = RouteSet.of(ROUTES)
    return FitJob(
        routes, Queries(), Queries(), trainer, folder, folds=2, weights=[0.0, 0.7], seed=1
    )
