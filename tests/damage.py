"""Ways to damage an adapter, and what `adapter check` says then."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from semantic_router_lora.adapters import layout
from semantic_router_lora.checking import Report, check_adapter
from semantic_router_lora.checking.run import STEPS

Damage = Callable[[Path], object]
# what is done, the check that must fail, and what it must say
Broken = tuple[Damage, str, str]


def checked(folder: Path, **options: Any) -> Report:
    return check_adapter(folder, **{"rerun": False, **options})


def status(report: Report, name: str) -> str:
    return next(check.status for check in report.checks if check.name == name)


def message(report: Report, name: str) -> str:
    return next(check.message for check in report.checks if check.name == name)


def assert_fails(folder: Path, broken: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage an adapter: the check that is named must fail, and say the reason."""
    damage, name, reason = broken
    damage(folder)
    if name not in ("tokenizer", "card", "vectors", "fingerprint"):
        remove(layout.TOKENIZER)(folder)  # optional, and most of what there is to read
    position = [step.name for step in STEPS].index(name)
    monkeypatch.setattr("semantic_router_lora.checking.run.STEPS", STEPS[: position + 1])
    report = checked(folder)
    assert not report.ok
    assert status(report, name) == "fail", report.to_text()
    assert re.search(reason, message(report, name)), message(report, name)


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


def weights(change: Callable[[str, torch.Tensor], torch.Tensor]) -> Damage:
    def damage(folder: Path) -> None:
        tensors = load_file(folder / layout.WEIGHTS)
        save_file({key: change(key, t) for key, t in tensors.items()}, folder / layout.WEIGHTS)

    return damage


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


def tokenizer(change: Callable[[dict[str, Any]], object]) -> Damage:
    def damage(folder: Path) -> None:
        content = json.loads((folder / layout.TOKENIZER).read_text(encoding="utf-8"))
        change(content)
        (folder / layout.TOKENIZER).write_text(json.dumps(content))

    return damage


def evaluation(change: Callable[[dict[str, Any]], object]) -> Damage:
    def damage(folder: Path) -> None:
        content = json.loads((folder / layout.EVALUATION).read_text(encoding="utf-8"))
        change(content)
        (folder / layout.EVALUATION).write_text(json.dumps(content))

    return damage


def slow_regex(content: dict[str, Any]) -> None:
    content["normalizer"] = {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""}
