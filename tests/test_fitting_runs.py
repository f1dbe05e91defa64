"""Whole fits on a tiny base: kept, repeated, stopped and gone on with, from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml
from fitting_runs import ROUTES, make_small, router_of
from safetensors.torch import load_file

from semantic_router_lora import Embedder, fit_adapter, load_router
from semantic_router_lora.adapters.read import read_adapter
from semantic_router_lora.base_models import resolve_base
from semantic_router_lora.centroids import towards_centroids
from semantic_router_lora.errors import DataError, InputError
from semantic_router_lora.fitting import trainer
from semantic_router_lora.fitting.routes import RouteSet
from semantic_router_lora.fitting.scores import Neighbours

pytest.importorskip("sentence_transformers")
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def small(monkeypatch):
    make_small(monkeypatch)


@pytest.fixture(scope="module")
def fitted(tiny_base, tmp_path_factory):
    """A fit that is kept, of a router file."""
    folder = tmp_path_factory.mktemp("fit")
    path = folder / "router.yaml"
    path.write_text(yaml.safe_dump(router_of("1", tiny_base)))
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch)
        report = fit_adapter(path, folder / "out", folds=2, out_of_scope=["who won", "derive it"])
    return report, folder / "out", path


def test_a_kept_fit_is_written_and_its_router_has_the_same_confidences(fitted, tiny_base):
    report, out, _ = fitted
    assert report.kept
    assert not out.with_name("out.unproven").exists()
    assert sorted(path.name for path in out.iterdir()) == [
        "adapter",
        "confusion.png",
        "report.json",
        "report.md",
        "router.yaml",
    ]
    modes = {path.stat().st_mode for path in (out / "adapter").iterdir() if path.is_file()}
    assert len(modes) == 1
    card = (out / "adapter" / "README.md").read_text()
    assert "unpublished" in card and f"{report.rise.after:.3f}" in card
    content = yaml.safe_load((out / "router.yaml").read_text())
    assert content["encoder"]["name"] == f"{tiny_base}+lora:{out / 'adapter'}"
    router = load_router(out / "router.yaml")
    routes = RouteSet.of(ROUTES)
    queries = ["urgent news about the garden", "never tell me of a song", "who won", "ok"]
    embedder = Embedder(str(tiny_base), str(out / "adapter"))
    vectors, asked = embedder.encode(list(routes.texts)), embedder.encode(queries)
    drawn = towards_centroids(vectors, routes.labels, report.scoring.centroid_weight)
    chosen, scores = report.scoring.choose(Neighbours.of(asked, drawn, routes.labels))
    calibration = report.thresholds.calibration
    expected = scores if calibration is None else calibration(scores)
    for query, number, confidence in zip(queries, chosen, expected, strict=True):
        found = router(query, threshold=-1.0)
        assert (found.name, found.confidence) == (
            routes.names[number],
            pytest.approx(confidence, abs=1e-4),
        )
    written = json.loads((out / "report.json").read_text())
    assert written["rise"]["after"] == report.rise.after
    assert len(written["texts"]) == 38  # 36 utterances, 2 out of scope


def test_the_same_fit_gives_the_same_weights_also_in_a_thread(fitted, tmp_path):
    _, out, path = fitted
    found = []
    thread = threading.Thread(
        target=lambda: found.append(
            fit_adapter(path, tmp_path / "out", folds=2, out_of_scope=["who won", "derive it"])
        )
    )
    thread.start()
    thread.join()
    assert found[0].kept
    assert_same_weights(out, tmp_path / "out")
    with pytest.raises(DataError, match="not empty"):
        fit_adapter(path, tmp_path / "out", folds=2)


def test_starts_from_an_adapter_and_refuses_dora(fitted, make_adapter, tiny_base, tmp_path):
    _, out, _ = fitted
    folder = out / "adapter"
    start = read_adapter("fitted", folder)
    base = resolve_base(str(tiny_base))
    texts = ["urgent news", "not today"]
    begun = trainer.RouteTrainer(trainer.fit_recipe("again", base.name, start, 1), base, start)
    theirs = Embedder(str(tiny_base), str(folder)).encode(texts)
    assert abs(begun.encode(texts) - theirs).max() < 1e-5
    assert abs(theirs - Embedder(str(tiny_base)).encode(texts)).max() > 1e-3
    dora = make_adapter(tmp_path / "dora", base=tiny_base, use_dora=True)
    with pytest.raises(InputError, match="use_dora"):
        fit_adapter(ROUTES, tmp_path / "dora-fit", base=str(tiny_base), adapter=str(dora))


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import fitting_runs, pytest
fitting_runs.make_small(pytest.MonkeyPatch())
if sys.argv[2] == "slowly":
    fitting_runs.make_slow(pytest.MonkeyPatch())
from semantic_router_lora.cli import main
sys.argv[1:] = sys.argv[3:]
main()
"""


def start(path: Path, out: Path, *options: str, pace: str = "") -> subprocess.Popen[str]:
    tests = str(Path(__file__).parent)
    command = [sys.executable, "-c", SCRIPT, tests, pace, "fit", str(path), "--output", str(out)]
    outside = out.with_name("outside.txt")
    outside.write_text("who won\nderive it\n")
    return subprocess.Popen(
        [*command, "--folds", "2", "--out-of-scope", str(outside), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_fit_goes_on_to_the_same_result(fitted, tmp_path, sign):
    _, out, path = fitted
    target = tmp_path / "out"
    stopped = start(path, target, pace="slowly")
    first = target.with_name("out.unproven") / "folds" / "fold-0.npz"
    deadline = time.monotonic() + 300
    while not first.exists() and stopped.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    stopped.send_signal(sign)
    said = stopped.communicate(timeout=120)[0]
    assert first.exists() and not target.exists(), said
    if sign == signal.SIGINT:
        assert stopped.returncode == 130 and "--resume" in said, said
    refused = start(path, target)
    assert "go on with --resume" in refused.communicate(timeout=300)[0]
    other = start(path, target, "--resume", "--seed", "5")
    assert "another recipe" in other.communicate(timeout=300)[0]
    resumed = start(path, target, "--resume")
    said = resumed.communicate(timeout=300)[0]
    assert resumed.returncode == 0, said
    assert "fold 1 of 2" not in said and "fold 2 of 2" in said
    assert "Kept" in said
    assert_same_weights(out, target)
    again = json.loads((target / "report.json").read_text())
    before = json.loads((out / "report.json").read_text())
    for key in ("adapter", "router", "seconds"):
        del again[key], before[key]
    assert again == before
    assert not (target / "folds").exists()


def assert_same_weights(first: Path, second: Path) -> None:
    one, two = (load_file(p / "adapter" / "adapter_model.safetensors") for p in (first, second))
    assert one.keys() == two.keys()
    assert all((one[key] == two[key]).all() for key in one)
