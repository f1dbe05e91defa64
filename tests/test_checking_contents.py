"""`adapter check`: sound files that say or do the wrong thing fail, for the right reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from damage import (
    Broken,
    Damage,
    assert_fails,
    config,
    edit,
    evaluation,
    replace,
    slow_regex,
    tokenizer,
    weights,
    write,
)
from safetensors.torch import load_file, save_file

from semantic_router_lora.adapters import layout

NAME = "law-cache-lora-L6"
SLOW = "could take for ever"


def one_weight(value: float) -> Damage:
    def change(key: str, tensor: torch.Tensor) -> torch.Tensor:
        if "layer.3.attention.self.value.lora_B" in key:
            tensor[0, 0] = value
        return tensor

    return weights(change)


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


def another_adapters_figures(content: dict[str, Any]) -> None:
    content["embedders"][NAME]["fingerprint"] = "0" * 16


def yaml_bomb(folder: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    replace(layout.CARD, "---\n", "---\n" + "\n".join(lines) + "\n")(folder)


BROKEN: dict[str, Broken] = {
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
def test_what_is_broken_fails_by_name(law_folder, kind, monkeypatch):
    assert_fails(law_folder, BROKEN[kind], monkeypatch)
