"""Training runs: from data to a proven adapter, through interruption and in several processes."""

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

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from semantic_router_lora import Embedder
from semantic_router_lora.adapters import layout
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.benchmark.suite import bundled_file
from semantic_router_lora.errors import AdapterMismatchError, DataError, MissingExtraError
from semantic_router_lora.training.recipe import Recipe, load_recipe
from semantic_router_lora.training.run import train

pytest.importorskip("sentence_transformers")
RECIPES = Path(__file__).parents[1] / "training" / "recipes"
COMMAND = [sys.executable, "-m", "semantic_router_lora", "train"]

RECIPE = """
name: tiny
train: [law.jsonl]
dev: [psychology.dev.jsonl]
batch_size: 12
learning_rate: 0.01
epochs: 3
checkpoint_steps: 2
max_seq_length: 32
contrastive_weight: 1.0
"""


@pytest.fixture(scope="module")
def tiny_base(base_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with next to no layers, so that a run takes a second."""
    from transformers import BertConfig

    config = BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    return random_base(config, base_folder, tmp_path_factory.mktemp("tiny"))


def random_base(config: Any, like: Path, folder: Path) -> Path:
    from transformers import AutoModel

    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    for name in ("modules.json", "sentence_bert_config.json", "tokenizer.json"):
        shutil.copy(like / name, folder / name)
    shutil.copy(like / "tokenizer_config.json", folder)
    shutil.copytree(like / "1_Pooling", folder / "1_Pooling")
    settings = json.loads((folder / "1_Pooling" / "config.json").read_text())
    settings["word_embedding_dimension"] = config.hidden_size
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(settings))
    return folder


def write_recipe(folder: Path, text: str = RECIPE) -> Path:
    (folder / "law.jsonl").write_text(bundled_file("law", "dev").read_text())
    (folder / "psychology.dev.jsonl").write_text(bundled_file("psychology", "dev").read_text())
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    return write_recipe(tmp_path)


@pytest.fixture
def recipe(recipe_file: Path) -> Recipe:
    return load_recipe(recipe_file)


def test_training_writes_a_proven_adapter(recipe, tmp_path):
    recipe = replace(recipe, epochs=1.0, checkpoint_steps=0, batch_size=20, learning_rate=0.001)
    folder = tmp_path / "adapter"
    assert "equal to the trainer's" in train(recipe, folder)
    assert {path.name for path in folder.iterdir()} == {
        *layout.FILES,
        layout.TRAINING_PLOT,
    } - {layout.CARD, layout.EVALUATION}
    assert (folder / layout.WEIGHTS).stat().st_size < 310_000
    info = json.loads((folder / layout.TRAINING_INFO).read_text())
    assert info["trainable_parameters"] == 73_728
    assert info["steps"] == info["best_step"] == 3
    assert info["data"]["domains"] == {"law": 60}
    assert info["recipe"]["train"] == [{"file": "law.jsonl", "limit": None, "repeat": 1}]
    assert str(tmp_path) not in json.dumps(info)
    assert (folder / layout.TRAINING_PLOT).read_bytes().startswith(b"\x89PNG")
    config = json.loads((folder / layout.CONFIG).read_text())
    assert config["base_model_name_or_path"] == DEFAULT_BASE

    with pytest.raises(DataError, match="exists and is not empty"):
        train(recipe, folder)

    # and plain peft reads it to the same vectors
    from peft import PeftModel
    from sentence_transformers import SentenceTransformer

    from semantic_router_lora.base_models import resolve_base

    model = SentenceTransformer(str(resolve_base(DEFAULT_BASE).folder), device="cpu")
    model[0].model = PeftModel.from_pretrained(model[0].model, str(folder))
    texts = ["a question of law", "another one"]
    np.testing.assert_allclose(
        Embedder(adapter=str(folder)).encode(texts),
        model.encode(texts, normalize_embeddings=True),
        atol=1e-6,
    )


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


def test_the_checkpoint_that_is_best_on_dev_is_kept(recipe, tiny_base, tmp_path):
    """Whatever the figures on dev are, the weights are those of the best of them."""
    recipe = replace(recipe, learning_rate=0.3, lora_dropout=0.0)  # so high that it gets worse
    output = tmp_path / "best"
    train(recipe, output, base_folder=tiny_base)
    history = json.loads((output / layout.TRAINING_HISTORY).read_text())
    scores = {r["step"]: r["eval_average_precision"] for r in history if "eval_margin" in r}
    info = json.loads((output / layout.TRAINING_INFO).read_text())
    assert scores[info["best_step"]] == max(scores.values())
    assert info["best_step"] < info["steps"]

    from semantic_router_lora.benchmark.metrics import CURVE_METRICS, curve
    from semantic_router_lora.benchmark.similarities import similarities_of
    from semantic_router_lora.benchmark.suite import load_suites

    (suite,) = load_suites([recipe.dev[0]])
    embedder = Embedder(str(tiny_base), str(output))
    counts = curve(similarities_of(embedder, [suite])[0], np.ones((1, len(suite.triplets))))
    measured = CURVE_METRICS["average_precision"](counts)[0]
    assert measured == pytest.approx(max(scores.values()), abs=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("stored", ["bfloat16", "float32"])
def test_half_precision_ends_in_a_proven_adapter(
    recipe, tiny_base, base_folder, tmp_path, monkeypatch, stored
):
    """A base that is stored so, and a run that is computed so."""
    from transformers import AutoModel

    from semantic_router_lora.training import model, trainer

    base = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    AutoModel.from_pretrained(tiny_base).to(getattr(torch, stored)).save_pretrained(base)
    if stored == "float32":
        for module in (model, trainer):
            monkeypatch.setattr(module, "has_fast_bf16", lambda: True)
    recipe = replace(recipe, epochs=1.0, distillation_weight=1.0)
    assert "equal to the trainer's" in train(recipe, tmp_path / "out", base_folder=base)
    info = json.loads((tmp_path / "out" / layout.TRAINING_INFO).read_text())
    assert info["hardware"]["bf16"] == (stored == "float32")


def test_a_run_that_diverges_ends_with_one_error(recipe, tiny_base, tmp_path):
    with pytest.raises(DataError, match=r"the loss is (nan|inf) after step \d+: lower"):
        train(replace(recipe, learning_rate=1e30), tmp_path / "x", base_folder=tiny_base)


def test_where_an_adapter_cannot_lie(tmp_path):
    from semantic_router_lora.training.checkpoints import UnfinishedRun

    with pytest.raises(DataError, match="is no folder to create"):
        UnfinishedRun(Path("/"), {})
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="exists and is not empty"):
        UnfinishedRun(tmp_path / "file", {})
    with pytest.raises(DataError, match="cannot be written"):
        UnfinishedRun(tmp_path / "file" / "x", {}).start(resume=False)
    (tmp_path / "empty").mkdir()
    late = UnfinishedRun(tmp_path / "empty", {})
    late.start(resume=False)
    (tmp_path / "empty" / "came meanwhile").touch()
    with pytest.raises(DataError, match="is proven and lies in"):
        late.finish()
    (tmp_path / "empty" / "came meanwhile").unlink()
    late.finish()
    assert not any((tmp_path / "empty").iterdir())


def test_interpolation_keeps_a_share_of_the_update(recipe, tiny_base, whole_run, tmp_path):
    train(replace(recipe, interpolation=0.5), tmp_path / "half", base_folder=tiny_base)
    assert weights(tmp_path / "half") == weights(whole_run)
    config = json.loads((tmp_path / "half" / layout.CONFIG).read_text())
    assert config["lora_alpha"] == recipe.lora_alpha / 2


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["cosent", "online_contrastive"])
def test_losses_of_sentence_transformers(recipe, tiny_base, tmp_path, loss):
    recipe = replace(recipe, loss=loss, contrastive_weight=0.0, epochs=1.0)
    assert "equal to the trainer's" in train(recipe, tmp_path / loss, base_folder=tiny_base)
    info = json.loads((tmp_path / loss / layout.TRAINING_INFO).read_text())
    assert info["steps"] == 10  # two pairs of each of 60 triplets, twelve at a time


def architectures() -> dict[str, tuple[Any, set[str]]]:
    from transformers import DistilBertConfig, ModernBertConfig, MPNetConfig

    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    return {
        "mpnet": (MPNetConfig(intermediate_size=64, **small), {"q", "v"}),
        "distilbert": (DistilBertConfig(dim=32, n_layers=2, n_heads=2), {"q_lin", "v_lin"}),
        "modernbert": (
            ModernBertConfig(vocab_size=30522, intermediate_size=64, pad_token_id=0, **small),
            {"Wqkv"},
        ),
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mpnet", "distilbert", "modernbert"])
def test_other_architectures_by_naming_the_base(recipe, base_folder, tmp_path, kind):
    config, targets = architectures()[kind]
    base = random_base(config, base_folder, tmp_path / "base")
    recipe = replace(recipe, base=str(base), epochs=1.0)
    assert "equal to the trainer's" in train(recipe, tmp_path / kind)
    written = json.loads((tmp_path / kind / layout.CONFIG).read_text())
    assert set(written["target_modules"]) == targets


def test_all_linear_layers_but_the_pooler(tiny_base):
    from transformers import AutoModel

    from semantic_router_lora.training.targets import find_targets

    model = AutoModel.from_pretrained(tiny_base)
    assert find_targets(model, "all-linear") == ["dense", "key", "query", "value"]
    del model.encoder
    with pytest.raises(DataError, match="is not known; name some of"):
        find_targets(model, "query+value")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            ("q_proj", "v_proj"),
            r"no linear layer q_proj, v_proj; query\+value there is query, value",
        ),
        (("query", "v_proj"), "no linear layer v_proj; .*it has dense, key, query, value"),
        ("qv", r"expected query\+value, all-linear or a list of names"),
    ],
)
def test_layers_that_the_base_has_not_are_refused(recipe, tiny_base, tmp_path, asked, message):
    recipe = replace(recipe, target_modules=asked)
    with pytest.raises(DataError, match=message):
        train(recipe, tmp_path / "x", base_folder=tiny_base)


@pytest.mark.slow
@pytest.mark.parametrize(("layers", "parameters"), [(6, 73_728), (12, 147_456)])
def test_dry_run(recipe, base_folder, twelve_layers, layers, parameters, tmp_path):
    from semantic_router_lora.training.plan import plan

    found = plan(recipe, base_folder if layers == 6 else twelve_layers)
    assert (found.parameters, found.targets) == (parameters, ["query", "value"])
    assert (found.steps, found.rows, found.with_negatives) == (15, {"law": 60}, 60)
    assert found.seconds > 0
    assert found.memory > 100 * 2**20
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".jsonl", ".jsonl", ".yaml"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "parameters"), [("reference-L12", 147_456), ("multi-domain-L12", 331_776)]
)
def test_recipes_for_twelve_layers(recipe, twelve_layers, name, parameters):
    from semantic_router_lora.training.plan import plan

    shipped = load_recipe(RECIPES / f"{name}.yaml")
    assert shipped.base == "sentence-transformers/all-MiniLM-L12-v2"
    found = plan(replace(shipped, train=recipe.train, dev=(), batch_size=8), twelve_layers)
    assert found.parameters == parameters


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


@pytest.mark.slow
def test_two_processes_train_as_one(recipe_file, tiny_base, tmp_path):
    """Killed in the second epoch and resumed, they end with the weights of one process."""
    recipe_file.write_text(
        RECIPE + "lora_dropout: 0.0\nbase_dropout: 0.0\ndistillation_weight: 2.0\n"
        "guide_margin: 0.05\ntarget_modules: all-linear\n"
    )
    train(load_recipe(recipe_file), tmp_path / "one", base_folder=tiny_base)
    target = ["--output", str(tmp_path / "two"), "--base-folder", str(tiny_base)]
    command = [*COMMAND, str(recipe_file), *target]
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


def test_verification_notices_other_weights(adapter_folder, base_folder):
    from semantic_router_lora.training.verify import PROBES, verify_adapter

    vectors = Embedder(adapter=str(adapter_folder)).encode(list(PROBES))
    assert "equal to the trainer's" in verify_adapter(adapter_folder, vectors, base_folder)
    with pytest.raises(AdapterMismatchError, match="is not what was trained"):
        verify_adapter(adapter_folder, vectors + 0.01, base_folder)
    with pytest.raises(AdapterMismatchError, match="does not load again"):
        verify_adapter(adapter_folder / "nowhere", vectors, base_folder)


def test_a_missing_extra_names_the_pip_command(recipe, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'semantic-router-lora\[train\]'"):
        train(recipe, tmp_path / "out")
