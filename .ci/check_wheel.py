"""Import every module of the installed package and load every bundled adapter."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import semantic_router_lora

where = Path(semantic_router_lora.__file__)
assert Path(sys.prefix) in where.parents, f"imported from {where}, not from the wheel"

names = [
    module.name
    for module in pkgutil.walk_packages(semantic_router_lora.__path__, "semantic_router_lora.")
    if not module.name.endswith("__main__")
]
# What the extra `train` brings: its modules must be there, and need no more than that.
EXTRA = {"sentence_transformers", "datasets", "accelerate", "matplotlib", "yaml"}
for name in names:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not name.startswith("semantic_router_lora.training.") or error.name not in EXTRA:
            raise

from semantic_router_lora import Embedder
from semantic_router_lora.adapters.resolve import bundled_adapters
from semantic_router_lora.benchmark.suite import DOMAINS, GENERAL, load_suites

adapters = bundled_adapters()
assert adapters, "no adapter in the wheel"
for adapter in adapters:
    assert Embedder(adapter=adapter).encode(["a text"]).shape == (1, 384)
for suite in ("bundled", "bundled:dev"):
    assert [s.domain for s in load_suites([suite])] == [*DOMAINS, GENERAL]
assert (where.parent / "py.typed").is_file()
prompts = {path.stem for path in (where.parent / "generation" / "prompts").glob("*.yaml")}
assert prompts == {*DOMAINS, "generic"}, prompts
print(f"wheel: {len(names)} modules, {len(adapters)} adapters")
