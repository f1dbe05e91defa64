"""Which way a short text is run: by what both ways took lately."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from semantic_router_lora.engines import spreading
from semantic_router_lora.engines.spreading import Spreading, idle_cpus


class Machine:
    """A clock, and two ways that take what a test says."""

    def __init__(self) -> None:
        self.now = 0.0
        self.on_one, self.on_all = 4.0, 2.0
        self.waking = 0.0  # what the first use of all threads takes on top
        self.idle = 1
        self.ways: list[str] = []

    def way(self, name: str) -> Callable[[], str]:
        def run() -> str:
            self.now += getattr(self, name)
            if name == "on_all" and self.ways[-1:] != ["on_all"]:
                self.now += self.waking
            self.ways.append(name)
            return name

        return run

    def serve(self, chooser: Spreading, count: int) -> list[str]:
        """The ways that so many queries go."""
        self.ways = []
        for _ in range(count):
            self.now += 1  # any threads that looked for more work have given up
            chooser.run(self.way("on_one"), self.way("on_all"))
        return self.ways


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(spreading.time, "perf_counter", lambda: made.now)
    monkeypatch.setattr(spreading, "idle_cpus", lambda: made.idle)
    return made


def test_the_faster_way_is_found_and_the_other_tried_now_and_then(machine):
    chooser = Spreading(2)
    assert machine.serve(chooser, 10) == ["on_one"] * 5 + ["on_all"] * 5
    ways = machine.serve(chooser, 300)
    assert [number for number, way in enumerate(ways) if way == "on_one"] == [
        20,
        21,
        22,
        43,
        44,
        45,
        86,
        87,
        88,
        169,
        170,
        171,
    ]
    machine.on_all = 9.0  # other threads of this process have come
    assert machine.serve(chooser, 5) == ["on_all"] * 3 + ["on_one"] * 2
    machine.on_all = 2.0
    ways = machine.serve(chooser, 50)
    assert 10 < ways.index("on_all") < 30
    assert ways[-5:] == ["on_all"] * 5


def test_threads_that_must_first_be_woken_get_a_second_try(machine):
    chooser = Spreading(2)
    machine.on_all = 5.0
    assert machine.serve(chooser, 20)[-10:] == ["on_one"] * 10
    machine.on_all, machine.waking = 2.0, 5.0
    ways = machine.serve(chooser, 60)
    assert ways[-5:] == ["on_all"] * 5


def test_a_trial_of_what_is_much_slower_ends_at_once(machine):
    chooser = Spreading(2)
    machine.serve(chooser, 10)
    machine.on_one = 40.0
    ways = machine.serve(chooser, 100)
    assert [number for number, way in enumerate(ways) if way == "on_one"] == [20, 41, 82]


def test_no_trial_while_the_processors_are_busy(machine):
    machine.idle = 0
    chooser = Spreading(2)
    assert machine.serve(chooser, 200) == ["on_one"] * 200
    machine.idle = 1
    assert machine.serve(chooser, 10) == ["on_all"] * 10
    machine.idle, machine.on_all = 0, 40.0
    assert machine.serve(chooser, 300).count("on_all") <= 3


def test_threads_that_still_look_for_work_count_as_idle(machine):
    chooser = Spreading(2)
    assert machine.serve(chooser, 6)[-1] == "on_all"
    machine.idle = 0
    machine.on_all = 0.001
    for _ in range(4):
        chooser.run(machine.way("on_one"), machine.way("on_all"))
    assert machine.ways[-4:] == ["on_all"] * 4


def test_one_thread_and_a_second_caller_run_on_one():
    assert Spreading(1).run(lambda: "one", lambda: "all") == "one"
    chooser = Spreading(2)
    inside, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        inside.set()
        go_on.wait(10)
        return "slow"

    first = threading.Thread(target=lambda: chooser.run(slow, slow))
    first.start()
    inside.wait(10)
    assert chooser.run(lambda: "one", lambda: "all") == "one"
    go_on.set()
    first.join()


def test_what_fails_is_raised_and_the_next_one_runs():
    chooser = Spreading(2)

    def fail() -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        chooser.run(fail, fail)
    assert chooser.run(lambda: "ran", lambda: "ran") == "ran"


def test_idle_processors_are_unknown_where_the_system_does_not_say(monkeypatch, tmp_path):
    monkeypatch.setattr(spreading, "Path", lambda _: tmp_path / "none")
    monkeypatch.setattr(spreading.os, "cpu_count", lambda: 6)
    monkeypatch.setattr(spreading.os, "getloadavg", lambda: (3.2, 0.0, 0.0))
    assert idle_cpus() == 2
    monkeypatch.delattr(spreading.os, "getloadavg")
    assert idle_cpus() == 0
    (tmp_path / "none").write_text("0.10 0.20 0.30 2/180 4321\n")
    assert idle_cpus() == 4
