"""`adapter check`: every kind of broken or malicious adapter fails, for the right reason."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.resolve import bundled_adapters, resolve_adapter
from semantic_router_lora.checking import Report, check_adapter
from semantic_router_lora.checking.run import STEPS

NAME = "law-cache-lora-L6"
Damage = Callable[[Path], object]


def checked(folder: Path, **options: Any) -> Report:
    return check_adapter(folder, **{"rerun": False, **options})


def status(report: Report, name: str) -> str:
    return next(check.status for check in report.checks if check.name == name)


def message(report: Report, name: str) -> str:
    return next(check.message for check in report.checks if check.name == name)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(resolve_adapter(NAME).folder, tmp_path / "copied"))


# How adapters are damaged.


def edit(name: str, **changes: Any) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return damage


def config(**changes: Any) -> Damage:
    return edit(layout.CONFIG, **changes)


def write(name: str, content: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(content)


def remove(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def replace(name: str, old: str, new: str) -> Damage:
    def damage(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return damage


def weights(change: Callable[[str, torch.Tensor], torch.Tensor]) -> Damage:
    def damage(folder: Path) -> None:
        tensors = load_file(folder / layout.WEIGHTS)
        save_file({key: change(key, t) for key, t in tensors.items()}, folder / layout.WEIGHTS)

    return damage


def one_weight(value: float) -> Damage:
    def change(key: str, tensor: torch.Tensor) -> torch.Tensor:
        if "layer.3.attention.self.value.lora_B" in key:
            tensor[0, 0] = value
        return tensor

    return weights(change)


def header(change: Callable[[dict[str, Any]], object]) -> Damage:
    """Rewrite the header of the safetensors file, and leave the data behind it as they are."""

    def damage(folder: Path) -> None:
        data = (folder / layout.WEIGHTS).read_bytes()
        length = int.from_bytes(data[:8], "little")
        content = json.loads(data[8 : 8 + length])
        change(content)
        written = json.dumps(content).encode()
        (folder / layout.WEIGHTS).write_bytes(
            struct.pack("<Q", len(written)) + written + data[8 + length :]
        )

    return damage


def overlapping(content: dict[str, Any]) -> None:
    first, second = list(content)[1:3]
    content[second] = dict(content[first])


def tokenizer(change: Callable[[dict[str, Any]], object]) -> Damage:
    def damage(folder: Path) -> None:
        content = json.loads((folder / layout.TOKENIZER).read_text(encoding="utf-8"))
        change(content)
        (folder / layout.TOKENIZER).write_text(json.dumps(content))

    return damage


def shuffled(content: dict[str, Any]) -> None:
    vocabulary = content["model"]["vocab"]
    vocabulary["the"], vocabulary["of"] = vocabulary["of"], vocabulary["the"]


def number_of_its_own(content: dict[str, Any]) -> None:
    content["post_processor"] = {
        "type": "RobertaProcessing",
        "sep": ["x", 4_294_967_295],
        "cls": ["y", 4_294_967_295],
        "trim_offsets": True,
        "add_prefix_space": True,
    }


def slow_regex(content: dict[str, Any]) -> None:
    content["normalizer"] = {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""}


def twelve_layers_of_keys(folder: Path) -> None:
    tensors = load_file(folder / layout.WEIGHTS)
    more = {
        key.replace("layer.0.", "layer.11."): tensor.clone()
        for key, tensor in tensors.items()
        if "layer.0." in key
    }
    save_file(tensors | more, folder / layout.WEIGHTS)


def drowns_out_the_text(key: str, tensor: torch.Tensor) -> torch.Tensor:
    """Add one and the same large vector to the last hidden state of every token.

    Of ±a, GELU lets the positive one pass: whatever the text, the sum over both is large.
    """
    if "layer.5.intermediate.dense" not in key and "layer.5.output.dense" not in key:
        return tensor
    if "lora_A" in key:
        return torch.full_like(tensor, 1.0) if "output" in key else tensor * 100
    signs = torch.tensor([1.0, -1.0]).repeat(len(tensor) // 2)
    return (50 * signs)[:, None].expand_as(tensor).contiguous()


def rank_of_hundred_thousand(folder: Path) -> None:
    save_file({"a.lora_A.weight": torch.zeros(100_000, 4)}, folder / layout.WEIGHTS)


def renamed_pickle(folder: Path) -> None:
    torch.save({"a": torch.zeros(3)}, folder / layout.WEIGHTS)


def sparse(name: str, size: int) -> Damage:
    def damage(folder: Path) -> None:
        with (folder / name).open("wb") as file:
            file.truncate(size)

    return damage


def link(name: str, target: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return damage


def other_base_everywhere(folder: Path) -> None:
    base = "sentence-transformers/all-MiniLM-L12-v2"
    config(base_model_name_or_path=base)(folder)
    edit(layout.TRAINING_INFO, base_model=base)(folder)


def info_of(**changes: Any) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / layout.TRAINING_INFO
        info = json.loads(path.read_text())
        info["data"] |= changes
        path.write_text(json.dumps(info))

    return damage


def evaluation(change: Callable[[dict[str, Any]], object]) -> Damage:
    def damage(folder: Path) -> None:
        content = json.loads((folder / layout.EVALUATION).read_text(encoding="utf-8"))
        change(content)
        (folder / layout.EVALUATION).write_text(json.dumps(content))

    return damage


def another_adapters_figures(content: dict[str, Any]) -> None:
    content["embedders"][NAME]["fingerprint"] = "0" * 16


def yaml_bomb(folder: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    replace(layout.CARD, "---\n", "---\n" + "\n".join(lines) + "\n")(folder)


SLOW = "could take for ever"
MODELS_UP = "../../../etc/models"
# What is done → the check that must fail, and what it must say.
BROKEN: dict[str, tuple[Damage, str, str]] = {
    # files
    "pickle": (write("adapter_model.bin", b"\x80\x04."), "files", "can run code"),
    "code": (write("modeling.py", b"import os"), "files", r"modeling\.py: code"),
    "compiled code": (write("kernel.so", b"\x7fELF"), "files", "kernel.so: code"),
    "notebook": (write("how_to.ipynb", b"{}"), "files", "code"),
    "archive": (write("data.zip", b"PK"), "files", "archive"),
    "hidden file": (write(".bashrc", b"x"), "files", "hidden"),
    "unknown file": (write("notes.txt", b"x"), "files", "not a file of an adapter"),
    "folder": (lambda f: (f / "sub").mkdir(), "files", "sub is a folder"),
    "folder named as a file": (
        lambda f: ((f / layout.TRAINING_PLOT).unlink(), (f / layout.TRAINING_PLOT).mkdir()),
        "files",
        "is a folder",
    ),
    "pipe": (
        lambda f: ((f / layout.CARD).unlink(), os.mkfifo(f / layout.CARD)),
        "files",
        "no regular file",
    ),
    "link to a secret": (link(layout.CARD, "/etc/passwd"), "files", "link to /etc/passwd"),
    "link to a device": (link(layout.WEIGHTS, "/dev/zero"), "files", "is a link"),
    "link to nowhere": (link(layout.CARD, "nowhere"), "files", "is a link"),
    "no weights": (remove(layout.WEIGHTS), "complete", "the weights"),
    "no card": (remove(layout.CARD), "complete", "the card"),
    "no evaluation": (remove(layout.EVALUATION), "complete", "benchmark"),
    "sparse gigabytes": (sparse(layout.WEIGHTS, 5_000_000_000), "sizes", "5,000,000,000 bytes"),
    "huge JSON": (write(layout.CONFIG, b'{"a": "' + b"x" * 2_000_000), "sizes", "2,000,007"),
    "empty card": (write(layout.CARD, b""), "sizes", "empty"),
    "no picture": (write(layout.TRAINING_PLOT, b"\x7fELF" + b"x" * 99), "picture", "no PNG"),
    "picture of a terapixel": (
        write(
            layout.TRAINING_PLOT,
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 10**6, 10**6),
        ),
        "picture",
        "1,000,000 × 1,000,000",
    ),
    # JSON
    "deep nest": (write(layout.TRAINING_INFO, b'{"a":' * 100_000), "json", "nests"),
    "sound but deep": (
        write(layout.TRAINING_INFO, b'{"a":' * 40 + b"1" + b"}" * 40),
        "json",
        "24 levels",
    ),
    "key twice": (replace(layout.CONFIG, '"r": 4', '"r": 4, "r": 8'), "json", "'r' twice"),
    "not a number": (replace(layout.CONFIG, '"r": 4', '"r": NaN'), "json", "NaN"),
    "endless number": (replace(layout.CONFIG, '"r": 4', '"r": 1e999'), "json", "too large"),
    "number of a million digits": (
        write(layout.TRAINING_INFO, b'{"a": ' + b"9" * 900_000 + b"}"),
        "json",
        "digits",
    ),
    "other encoding": (write(layout.CONFIG, '{"r": 4}'.encode("utf-16")), "json", "utf-8"),
    "a list for an object": (write(layout.CONFIG, b"[]"), "json", "expected an object"),
    # code and paths
    "auto_map": (config(auto_map={"AutoModel": "evil.Model"}), "code", "auto_map"),
    "auto_map of the tokenizer": (
        edit(layout.TOKENIZER_CONFIG, auto_map={"AutoTokenizer": ["evil.T", None]}),
        "code",
        r"tokenizer_config\.json: auto_map",
    ),
    "nested trust": (
        edit(layout.TRAINING_INFO, x=[{"trust_remote_code": True}]),
        "code",
        "trust_remote_code",
    ),
    "import by peft": (
        config(auto_mapping={"base_model_class": "system", "parent_library": "os"}),
        "code",
        "import 'os'",
    ),
    "import by megatron": (config(megatron_core="evil"), "code", "import 'evil'"),
    "path upwards": (config(base_model_name_or_path=MODELS_UP), "paths", "out of the folder"),
    "path upwards in a revision": (
        config(base_model_name_or_path="a/b@../../x"),
        "paths",
        "out of the folder",
    ),
    "absolute path": (config(base_model_name_or_path="/models/x"), "paths", "some machine"),
    "path of Windows": (config(base_model_name_or_path="C:\\x"), "paths", "some machine"),
    "address": (config(base_model_name_or_path="file:///etc"), "paths", "some machine"),
    "revision with a slash": (config(revision="refs/pr/1"), "paths", "no branch"),
    "vocabulary elsewhere": (
        edit(layout.TOKENIZER_CONFIG, vocab_file="/etc/passwd"),
        "paths",
        "vocab_file",
    ),
    # weights, as they lie in the file
    "renamed pickle": (renamed_pickle, "safetensors", "zip file, as torch.save writes pickles"),
    "renamed old pickle": (
        write(layout.WEIGHTS, pickle.dumps({"a": [1] * 99})),
        "safetensors",
        "is a pickle",
    ),
    "pointer": (
        write(layout.WEIGHTS, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "safetensors",
        "Git LFS",
    ),
    "cut short": (
        lambda f: os.truncate(f / layout.WEIGHTS, 400_000),
        "safetensors",
        "cut short",
    ),
    "header of a petabyte": (
        write(layout.WEIGHTS, struct.pack("<Q", 10**15) + b"{}"),
        "safetensors",
        "claims 1,000,000,000,000,000 bytes",
    ),
    "tensors on top of each other": (header(overlapping), "safetensors", "overlap"),
    "shape of many": (
        header(lambda h: h[list(h)[1]].update(shape=[1] * 1000)),
        "safetensors",
        "impossible shape",
    ),
    "integers": (
        weights(lambda _, t: t.to(torch.int32)),
        "safetensors",
        "no floating-point dtype",
    ),
    "rank of the tensors": (rank_of_hundred_thousand, "safetensors", "rank 100,000"),
    # configuration
    "huge rank": (config(r=10**9), "config", "rank"),
    "huge scaling": (config(lora_alpha=100_000), "config", "scaled by"),
    "scaling of nothing": (config(lora_alpha=0), "config", "scaled by 0"),
    "another method": (config(peft_type="IA3"), "config", "only LORA"),
    "unknown setting": (config(use_new_trick=True), "config", "use_new_trick"),
    "slow pattern": (config(target_modules="(a+)+$"), "config", SLOW),
    "slow choice": (config(target_modules="(.|.)+X"), "config", SLOW),
    "slow row of stars": (config(exclude_modules=".*" * 40 + "X"), "config", SLOW),
    "slow row of choices": (config(rank_pattern={"(a|b|.)" * 40: 4}), "config", SLOW),
    "slow pattern of layers": (config(layers_pattern=["(a|a)*b"]), "config", SLOW),
    "slow module to save": (config(modules_to_save=["(x+)+y"]), "config", SLOW),
    "base without owner": (config(base_model_name_or_path="MiniLM"), "base", "no Hub id"),
    "base of the record": (edit(layout.TRAINING_INFO, base_model="a/b"), "base", "'a/b'"),
    "no digest of the base": (edit(layout.TRAINING_INFO, base_model_sha256=None), "base", "SHA"),
    # records
    "no recipe": (edit(layout.TRAINING_INFO, recipe=None), "training_info", "recipe"),
    "no digests of data": (info_of(sha256={"a": "b"}), "training_info", "SHA-256"),
    "empty history": (write(layout.TRAINING_HISTORY, b"[]"), "training_history", "no step"),
    "history of texts": (write(layout.TRAINING_HISTORY, b'["x"]'), "training_history", "entry 0"),
    "other results": (write(layout.EVALUATION, b"{}"), "evaluation", "format is None"),
    "results on less": (evaluation(lambda r: r["suites"].pop()), "evaluation", "not .* general"),
    "results of a sample": (
        evaluation(lambda r: r["suites"][0].update(triplets=20)),
        "suites",
        "20 triplets",
    ),
    "results on other triplets": (
        evaluation(lambda r: r["suites"][1].update(sha256="0" * 64)),
        "suites",
        "law: SHA-256",
    ),
    "thresholds of another dev": (
        evaluation(lambda r: r["suites"][1].update(dev_sha256=None)),
        "suites",
        "thresholds are not from law.dev",
    ),
    # card
    "no licence": (replace(layout.CARD, "license: apache-2.0\n", ""), "license", "no license"),
    "unknown licence": (
        replace(layout.CARD, "license: apache-2.0", "license: mine-alone"),
        "license",
        "mine-alone",
    ),
    "no metadata": (write(layout.CARD, b"# Adapter\n"), "metadata", "no metadata"),
    "YAML bomb": (yaml_bomb, "metadata", "aliases"),
    "object in YAML": (
        replace(layout.CARD, "---\n", "---\nx: !!python/object/apply:os.system [id]\n"),
        "metadata",
        "not valid",
    ),
    "tampered card": (replace(layout.CARD, "| 0.", "| 0.9"), "card", ""),
    # what needs the weights and the base
    "NaN": (one_weight(float("nan")), "weights", "layer.3.*NaN or infinite"),
    "infinity": (one_weight(float("inf")), "weights", "layer.3.*NaN or infinite"),
    "absurd weight": (one_weight(1e6), "weights", "1e.06"),
    "zero B": (weights(lambda k, t: t * 0 if "lora_B" in k else t), "effect", "changes nothing"),
    "base that is nowhere": (other_base_everywhere, "base_weights", "not in the .* cache"),
    "digest of the base": (
        edit(layout.TRAINING_INFO, base_model_sha256="0" * 64),
        "base_weights",
        "base_model_sha256 000",
    ),
    "keys of twelve layers": (twelve_layers_of_keys, "fit", "12 keys have no place"),
    "targets of another model": (config(target_modules=["q_proj"]), "fit", "do not exist"),
    "rank of the configuration": (config(r=8), "fit", "72 shapes differ"),
    "shuffled tokenizer": (tokenizer(shuffled), "tokenizer", "another number"),
    "tokenizer of another model": (
        tokenizer(lambda t: t["model"]["vocab"].update({"quux": 40_000})),
        "tokenizer",
        "number 40,000",
    ),
    "tokenizer beyond the base": (tokenizer(number_of_its_own), "tokenizer", "4,294,967,295"),
    "slow tokenizer": (tokenizer(slow_regex), "tokenizer", SLOW),
    "tokenizer that panics": (
        tokenizer(lambda t: t["post_processor"].update(special_tokens={})),
        "tokenizer",
        "does not load or does not run",
    ),
    "everything alike": (weights(drowns_out_the_text), "vectors", "any answer to any question"),
    "figures of another": (evaluation(another_adapters_figures), "fingerprint", "measure again"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_broken_fails_by_name(copied, kind, monkeypatch):
    damage, name, reason = BROKEN[kind]
    damage(copied)
    if name not in ("tokenizer", "card", "vectors", "fingerprint"):
        remove(layout.TOKENIZER)(copied)  # optional, and most of what there is to read
    position = [step.name for step in STEPS].index(name)
    monkeypatch.setattr("semantic_router_lora.checking.run.STEPS", STEPS[: position + 1])
    report = checked(copied)
    assert not report.ok
    assert status(report, name) == "fail", report.to_text()
    assert re.search(reason, message(report, name)), message(report, name)


@pytest.mark.parametrize("name", bundled_adapters())
def test_bundled_adapters_pass(name):
    report = checked(resolve_adapter(name).folder)
    assert report.ok, report.to_text()
    skipped = {check.name for check in report.checks if check.status == "skip"}
    assert skipped == {"repository", "figures", "contamination"}
    assert {check.name for check in report.checks if check.status == "warn"} == set()
    assert re.fullmatch("[0-9a-f]{16}", report.fingerprint or "")


def test_nothing_is_loaded_once_the_files_are_not_what_they_should_be(copied, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a library of others saw the files")

    monkeypatch.setattr("safetensors.torch.load", refuse)
    monkeypatch.setattr("tokenizers.Tokenizer.from_file", refuse, raising=False)
    monkeypatch.setattr("semantic_router_lora.checking.documents.parse_json", refuse)
    write("evil.py", b"raise SystemExit")(copied)
    report = checked(copied)
    assert status(report, "files") == "fail"
    made = {check.name for check in report.checks if check.status != "skip"}
    assert made == {"files", "complete", "sizes"}
    assert "'files' did not pass" in message(report, "weights")


def test_a_tokenizer_that_failed_is_not_used(copied):
    tokenizer(slow_regex)(copied)
    report = checked(copied)
    assert status(report, "tokenizer") == "fail"
    assert message(report, "vectors") == "not made, because 'tokenizer' did not pass"


def test_a_giant_file_is_not_read(copied, monkeypatch):
    sparse(layout.TOKENIZER, 50_000_000_000)(copied)
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail(f"{self} was read"))
    assert "50,000,000,000" in message(checked(copied), "sizes")


def test_a_check_that_stumbles_does_not_pass(copied, monkeypatch):
    monkeypatch.setattr(
        "semantic_router_lora.checking.vectors.Embedder", lambda *_, **__: {}["nothing"]
    )
    report = checked(copied)
    assert not report.ok
    assert message(report, "vectors") == "it could not be checked: KeyError: 'nothing'"


def test_remarks_do_not_fail(copied):
    remove(layout.TRAINING_HISTORY)(copied)
    edit(layout.TOKENIZER_CONFIG, tokenizer_file="/home/someone/tokenizer.json")(copied)
    tokenizer(lambda t: t["normalizer"].update(lowercase=False))(copied)
    report = checked(copied)
    warned = {check.name for check in report.checks if check.status == "warn"}
    assert {"complete", "paths", "tokenizer"} <= warned
    assert "another normalizer" in message(report, "tokenizer")


# The Hub's cache is made of links.


@pytest.fixture
def snapshot(copied: Path, tmp_path: Path) -> Path:
    repository = tmp_path / "models--someone--law-lora"
    folder = repository / "snapshots" / ("a" * 40)
    folder.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for number, file in enumerate(sorted(copied.iterdir())):
        shutil.move(file, repository / "blobs" / f"{number:064}")
        (folder / file.name).symlink_to(f"../../blobs/{number:064}")
    return folder


def test_links_within_the_cache_of_the_hub_are_accepted(snapshot):
    report = checked(snapshot)
    assert report.ok, report.to_text()
    assert "could not be listed" in message(report, "repository")  # the tests are offline


def test_links_out_of_the_cache_are_not(snapshot):
    link(layout.CARD, "/etc/passwd")(snapshot)
    assert "README.md is a link" in message(checked(snapshot), "files")
    blob = snapshot.parent.parent / "blobs" / "evil"
    blob.symlink_to("/etc/passwd")
    link(layout.CARD, "../../blobs/evil")(snapshot)
    assert "README.md is a link" in message(checked(snapshot), "files")


def test_code_elsewhere_in_the_repository(snapshot, monkeypatch):
    names = [*(path.name for path in snapshot.iterdir()), ".gitattributes", "modeling_evil.py"]
    monkeypatch.setattr("huggingface_hub.HfApi.list_repo_files", lambda *_, **__: names)
    assert message(checked(snapshot), "repository") == (
        "modeling_evil.py: code: an adapter holds none"
    )


# Reports.

HOSTILE = "x`|`]\x1b[31m<script>@everyone‮.py"


def test_reports_disarm_what_strangers_wrote(copied):
    write(HOSTILE, b"x")(copied)
    config(base_model_name_or_path="a/b\n| evil | pass | [x](http://x) |")(copied)
    report = checked(copied)
    text, markdown = report.to_text(), report.to_markdown()
    assert "\\x1b[31m" in text
    for output in (text, markdown, report.to_json()):
        assert "\x1b" not in output
        assert "‮" not in output
    row = next(line for line in markdown.splitlines() if line.startswith("| files |"))
    cell = row.removeprefix("| files | **FAIL** | ").removesuffix(" |")
    assert re.fullmatch(r"``[^`]*(`[^`]+)*``", cell)  # one span of code, which nothing ends early
    assert not re.search(r"(?<!\\)\|", cell)
    assert len([line for line in markdown.splitlines() if line.startswith("| ")]) == len(STEPS) + 1


def test_reports_for_programs(copied):
    write("evil.py", b"x")(copied)
    content = json.loads(checked(copied, name="mine").to_json())
    assert list(content) == [
        "format",
        "ok",
        "adapter",
        "folder",
        "base",
        "fingerprint",
        "checks",
        "figures",
    ]
    assert (content["ok"], content["adapter"], content["fingerprint"]) == (False, "mine", None)
    assert [check["name"] for check in content["checks"]] == [step.name for step in STEPS]
    assert content["checks"][0] == {
        "name": "files",
        "status": "fail",
        "message": "evil.py: code: an adapter holds none",
    }


def test_command(copied, tmp_path):
    from semantic_router_lora.cli import app

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["adapter", "check", *arguments])

    output = tmp_path / "report.md"
    good = run(str(copied), "--no-rerun", "--format", "markdown", "--output", str(output))
    assert good.exit_code == 0, good.output
    assert "no check failed" in good.output
    written = output.read_text(encoding="utf-8")
    assert "| figures | skip |" in written
    assert "**Figures on the bundled test suites**" in written
    write("evil.py", b"x")(copied)
    bad = run(str(copied), "--no-rerun", "--format", "json")
    assert bad.exit_code == 1
    assert json.loads(bad.output)["ok"] is False
    for arguments in (
        ["no-such-adapter"],
        [str(copied), "--format", "pdf"],
        [str(copied), "--data", "nowhere.jsonl"],
        [],
    ):
        assert run(*arguments).exit_code == 2, arguments
