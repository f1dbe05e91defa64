"""What an encoder costs a process of its own: its start and its memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from semantic_router_lora.base_models import DEFAULT_BASE, resolve_base
from semantic_router_lora.benchmark.speed import peers

# Programs as a user would write them, so that nothing is imported that they do not need.
_OWN = """from semantic_router_lora import Embedder
encode = Embedder({arguments}, threads=threads).encode"""
_PROGRAMS = {
    peers.STOCK: """from semantic_router.encoders import HuggingFaceEncoder
encode = HuggingFaceEncoder(name=base, device="cpu")""",
    peers.LOCAL: """from semantic_router.encoders import LocalEncoder
encode = LocalEncoder(name=base, device="cpu")""",
    peers.PEFT: """from sentence_transformers import SentenceTransformer
model = SentenceTransformer(base, device="cpu")
model.load_adapter(adapter)
encode = model.encode""",
    peers.FASTEMBED: """from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType
TextEmbedding.add_custom_model("exported/base", pooling=PoolingType.MEAN, normalization=True,
    sources=ModelSource(hf="exported/base"), dim=384, model_file="model.onnx")
model = TextEmbedding("exported/base", threads=threads, specific_model_path=exported)
encode = lambda texts: list(model.embed(texts))""",
    peers.DEFAULT: _OWN.format(arguments="adapter=adapter"),
    peers.BFLOAT16: _OWN.format(arguments='adapter=adapter, dtype="bfloat16"'),
    peers.TRANSFORMERS: _OWN.format(arguments='adapter=adapter, engine="transformers"'),
    peers.ONNX: _OWN.format(arguments="exported"),
}
_FRAME = """
import json, resource, sys, time
base, adapter, exported, threads, texts = json.loads(sys.argv[1])
{program}
encode(["how do I renew a library card?"])
started = time.process_time()
for name in ("queries", "texts") if texts else ():
    encode(json.load(open(texts))[name])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:  # which, unlike ru_maxrss, does not begin with the peak of the process that started this one
    lines = open("/proc/self/status").read().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
except OSError:
    pass
print(started, peak)
"""


@dataclass(frozen=True)
class ProcessCost:
    """CPU seconds from a process's start to its first vector, and its peak memory in MiB."""

    cpu_seconds: float
    peak_mebibytes: float


def process_cost(
    name: str, threads: int, exported: Mapping[str, Path], texts: Path | None
) -> ProcessCost:
    """Start a process with one encoder, and perhaps let it embed the workloads A and B.

    Args:
        name: of the encoder.
        threads: that it may use.
        exported: folders that encoders read, by their names.
        texts: a JSON file with ``queries`` and ``texts``; None leaves the embedding out.

    Raises:
        subprocess.CalledProcessError: if it fails.
    """
    from semantic_router_lora.adapters.resolve import resolve_adapter

    base = str(resolve_base(DEFAULT_BASE).folder)
    adapter = str(resolve_adapter(peers.ADAPTER).folder)
    folder = str(exported.get(name, ""))
    given: Sequence[object] = (base, adapter, folder, threads, str(texts or ""))
    done = subprocess.run(
        [sys.executable, "-c", _FRAME.format(program=_PROGRAMS[name]), json.dumps(given)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
    )
    seconds, kibibytes = map(float, done.stdout.split()[-2:])
    if sys.platform == "darwin":  # which counts bytes
        kibibytes /= 1024
    return ProcessCost(seconds, kibibytes / 1024)
