"""An adapter's settings: regular expressions that are quick, types, what only peft can merge."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
import torch
from check_outcomes import NAME, statuses
from safetensors.torch import load_file, save_file

from semantic_router_lora import Embedder
from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.patterns import check_patterns
from semantic_router_lora.adapters.resolve import resolve_adapter
from semantic_router_lora.adapters.settings import applied_settings
from semantic_router_lora.checking import check_adapter
from semantic_router_lora.errors import AdapterFormatError

NAMES = [f"encoder.layer.{i}.attention.self.query" for i in range(12)]


@pytest.mark.parametrize(
    "pattern",
    [
        r".*layer\.[0-2]\..*query",
        r"(.*\.)?pooler\..*",
        r".*\.(q_proj|k_proj|v_proj|o_proj)$",
        r"encoder\.layer\.(?:\d+)\.attention\.self\.(query|key|value)",
        r"[]*+(]+\(x\)*",
        "all-linear",
        # the slowest that are let through
        ".*.*.*.*X",
        ".*.*.*(?:e|.)(?:n|.)(?:c|.)(?:o|.)(?:d|.)(?:e|.)X",
    ],
)
def test_patterns_for_names_of_layers_are_quick(pattern):
    import re

    check_patterns([pattern])
    started = time.monotonic()
    for name in NAMES:
        re.fullmatch(pattern, name)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|aa)+$",
        "((ab|cd)x)*",
        "(?P<name>a*)*",
        "(?=(a*))*b",
        "(.*){20}",
        "(a?){50}",
        "(.|.)" * 40,
        ".?" * 40,
        ".*" * 30,
        "(?x)(.* # )\n)*",
        "(?i)a",
        "(?#)a",
        "(",
        "a{99999999999}",
        "x" * 600,
    ],
)
def test_patterns_that_could_take_for_ever_are_refused(pattern):
    with pytest.raises(ValueError, match="'"):
        check_patterns([pattern])


def test_many_patterns_are_counted_together():
    check_patterns([f"layer.{i}.query" for i in range(500)])
    with pytest.raises(ValueError, match="too many"):
        check_patterns([f".*.*.*.*{i}" for i in range(2)])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bias", 5),
        ("bias", "some"),
        ("exclude_modules", 5),
        ("target_modules", [["query"]]),
        ("target_modules", {"query": 1}),
        ("layers_to_transform", ["1"]),
        ("modules_to_save", [1]),
        ("use_rslora", "yes"),
        ("rank_pattern", [4]),
        ("lora_alpha", 10**400),
        ("lora_alpha", float("nan")),
        ("r", True),
    ],
)
def test_settings_of_a_wrong_type_are_refused_by_name(key, value):
    """peft would stumble over them with errors of its own, deep inside."""
    with pytest.raises(AdapterFormatError, match=key if key != "r" else "rank"):
        applied_settings("mine", {"peft_type": "LORA", "r": 4, key: value})


def test_a_slow_pattern_does_not_reach_the_embedder(tmp_path):
    folder = Path(shutil.copytree(resolve_adapter(NAME).folder, tmp_path / "slow"))
    config = json.loads((folder / layout.CONFIG).read_text())
    config |= {"layers_to_transform": [0], "layers_pattern": "(.|.)*(.|.)*X"}
    (folder / layout.CONFIG).write_text(json.dumps(config))
    with pytest.raises(AdapterFormatError, match="for ever"):
        Embedder(adapter=str(folder))


def test_an_adapter_that_only_peft_can_merge_is_checked_too(make_adapter):
    folder = make_adapter(use_dora=True)
    found = statuses(check_adapter(folder, rerun=False))
    assert found["fit"][0] == "pass"
    assert found["vectors"][0] == "skip" or found["vectors"][0] == "pass"
    tensors = load_file(folder / layout.WEIGHTS)
    save_file(
        tensors | {"base_model.model.x.lora_A.weight": torch.ones(8, 4)}, folder / layout.WEIGHTS
    )
    assert statuses(check_adapter(folder, rerun=False))["fit"][0] == "fail"
