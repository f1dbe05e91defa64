"""`adapter check`: files that are not what they should be fail, for the right reason."""

from __future__ import annotations

import os
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from damage import (
    Broken,
    assert_fails,
    config,
    edit,
    header,
    link,
    remove,
    replace,
    sparse,
    weights,
    write,
)
from safetensors.torch import save_file

from semantic_router_lora.adapters import layout


def overlapping(content: dict[str, Any]) -> None:
    first, second = list(content)[1:3]
    content[second] = dict(content[first])


def rank_of_hundred_thousand(folder: Path) -> None:
    save_file({"a.lora_A.weight": torch.zeros(100_000, 4)}, folder / layout.WEIGHTS)


def renamed_pickle(folder: Path) -> None:
    torch.save({"a": torch.zeros(3)}, folder / layout.WEIGHTS)


MODELS_UP = "../../../etc/models"

BROKEN: dict[str, Broken] = {
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
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_broken_fails_by_name(law_folder, kind, monkeypatch):
    assert_fails(law_folder, BROKEN[kind], monkeypatch)
