"""Going on from checkpoints that are damaged, or from the last of all."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from semantic_router_lora.adapters import layout
from semantic_router_lora.errors import DataError
from semantic_router_lora.training.checkpoints import UnfinishedRun, mark_complete, seconds_of
from semantic_router_lora.training.run import train


@pytest.fixture
def run(tmp_path):
    """An unfinished run with checkpoints of the steps 2, 4 and 6; the one of 4 was best at 6."""
    found = UnfinishedRun(tmp_path / "out", {"recipe": "x"})
    found.start(resume=False)
    for step, best in ((2, 2), (4, 4), (6, 4)):
        folder = found.checkpoints / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "trainer_state.json").write_text(json.dumps({"best_global_step": best}))
        (folder / layout.WEIGHTS).write_bytes(b"weights")
        mark_complete(folder, step * 1.5)
    return found


def damage(run, step, name=layout.WEIGHTS):
    (run.checkpoints / f"checkpoint-{step}" / name).write_bytes(b"")


def test_the_last_checkpoint_is_gone_on_from(run):
    found = run.start(resume=True)
    assert found.name == "checkpoint-6"
    assert seconds_of(found) == 9.0


@pytest.mark.parametrize("name", [layout.WEIGHTS, "trainer_state.json", "complete"])
def test_a_damaged_checkpoint_is_set_aside(run, name):
    damage(run, 6, name)
    with pytest.warns(UserWarning, match="checkpoint-6 cannot be read as it was written: going on"):
        assert run.start(resume=True).name == "checkpoint-4"
    assert (run.checkpoints / "damaged-checkpoint-6").is_dir()
    assert run.start(resume=True).name == "checkpoint-4"


def test_nor_is_one_whose_best_is_damaged(run):
    damage(run, 4)
    with pytest.warns(UserWarning, match="going on from checkpoint-2"):
        assert run.start(resume=True).name == "checkpoint-2"
    with pytest.raises(DataError, match="the best checkpoint, is gone or damaged"):
        run.checkpoint(4)


def test_without_a_sound_checkpoint_there_is_one_error(run):
    for step in (2, 4, 6):
        damage(run, step)
    for _ in range(2):
        with pytest.raises(DataError, match=r"no checkpoint in .* start the run again"):
            run.start(resume=True)


def test_an_output_below_a_file_is_refused_at_once(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"x/y cannot be created: .*file is a file"):
        UnfinishedRun(tmp_path / "file" / "x" / "y", {})


def test_a_run_that_was_killed_at_its_end_takes_no_further_step(
    recipe, tiny_base, tmp_path, monkeypatch
):
    """Also where it ends within an epoch."""
    pytest.importorskip("sentence_transformers")
    recipe = replace(recipe, epochs=1.5, dev=())

    def killed(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("semantic_router_lora.training.run.write_adapter", killed)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, tmp_path / "killed", base_folder=tiny_base)
    train(recipe, tmp_path / "killed", base_folder=tiny_base, resume=True)
    train(recipe, tmp_path / "whole", base_folder=tiny_base)
    killed_and_whole = [tmp_path / "killed", tmp_path / "whole"]
    infos = [json.loads((f / layout.TRAINING_INFO).read_text()) for f in killed_and_whole]
    assert [info["steps"] for info in infos] == [8, 8]
    weights = [(folder / layout.WEIGHTS).read_bytes() for folder in killed_and_whole]
    assert weights[0] == weights[1]
