"""One run of the speed benchmark, and its tables."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from semantic_router_lora.base_models import DEFAULT_BASE, resolve_base
from semantic_router_lora.benchmark.results import environment
from semantic_router_lora.benchmark.speed.arithmetic import forward_operations, gemm_rate
from semantic_router_lora.benchmark.speed.mixed import mixed_ratio
from semantic_router_lora.benchmark.speed.peers import (
    ADAPTER,
    FASTEMBED,
    ONNX,
    STOCK,
    available,
)
from semantic_router_lora.benchmark.speed.processes import process_cost
from semantic_router_lora.benchmark.speed.served import served_peer
from semantic_router_lora.benchmark.speed.timing import WORKLOADS, Timings, time_peers
from semantic_router_lora.benchmark.speed.workloads import make_workloads
from semantic_router_lora.building import tokenizer_for
from semantic_router_lora.engines.bert import BertConfig, read_bert_config
from semantic_router_lora.engines.processor import processor_name
from semantic_router_lora.errors import InputError
from semantic_router_lora.tables import Table


def run_speed(
    *,
    rounds: int,
    threads: int,
    scale: float = 1.0,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Time every encoder that can be built here, in turns.

    Args:
        rounds: of all encoders; figures are medians over rounds.
        threads: of each encoder.
        scale: share of the texts of A and B.
        progress: called with what is being done.

    Returns:
        The content of a results file.

    Raises:
        InputError: if an argument is out of range.
    """
    if rounds < 1 or threads < 1:
        raise InputError(f"rounds {rounds} and threads {threads}: expected at least 1 of each")
    if not 0 < scale <= 1:
        raise InputError(f"scale is {scale}, expected more than 0 and at most 1")
    workloads = make_workloads(scale)
    with tempfile.TemporaryDirectory() as name:
        exported = _export(Path(name))
        names = available(exported)
        base = resolve_base(DEFAULT_BASE)
        config = read_bert_config(base)
        assert isinstance(config, BertConfig)
        tokenizer = tokenizer_for(base, None, config.max_position_embeddings, config.vocab_size)
        rates = [gemm_rate(config, threads)]
        with ExitStack() as stack:
            peers = {
                peer: stack.enter_context(served_peer(peer, threads, exported, workloads))
                for peer in names
            }
            timings = time_peers(peers, rounds, progress)
        rates.append(gemm_rate(config, threads))
        bfloat16_rate = gemm_rate(config, threads, "bfloat16")
        texts = Path(name) / "texts.json"
        texts.write_text(json.dumps(asdict(workloads)), encoding="utf-8")
        costs: dict[str, list[dict[str, float]]] = {peer: [] for peer in names}
        for number in range(rounds):
            for peer in names:
                progress(f"start {number + 1} of {rounds}: {peer}")
                # the peak of the memory is the same each time
                work = None if number else texts
                costs[peer].append(asdict(process_cost(peer, threads, exported, work)))
    progress("rows of different adapters in one batch")
    lengths = [len(ids) for ids in tokenizer(workloads.queries)]
    return {
        "kind": "speed",
        "rounds": rounds,
        "scale": scale,
        **environment("cpu"),
        "processor": processor_name(),
        "threads": threads,  # of each encoder, whatever this process has
        "reference": STOCK,
        "seconds": timings.seconds,
        "processes": costs,
        "mixed_ratios": mixed_ratio(workloads.queries, threads, rounds),
        "gemm_per_second": max(*rates, gemm_rate(config, threads)),
        "bfloat16_gemm_per_second": bfloat16_rate,
        "operations_of_A": forward_operations(config, lengths),
    }


def _export(folder: Path) -> dict[str, Path]:
    """Write what encoders of ONNX read, for those whose packages are installed.

    Returns:
        Folders in the given one, by the names of the encoders.
    """
    from importlib.util import find_spec

    if not (find_spec("onnx") and find_spec("onnxruntime")):
        return {}
    from semantic_router_lora.export.onnx_folder import export_onnx

    exported = {ONNX: folder / "onnx"}
    export_onnx(ADAPTER, exported[ONNX])
    if find_spec("fastembed"):
        from semantic_router_lora.benchmark.speed.fastembed import export_base

        exported[FASTEMBED] = folder / "fastembed"
        export_base(exported[FASTEMBED])
    return exported


def speed_table(content: dict[str, Any]) -> Table:
    """Each encoder's speed as a ratio to the reference, and what its process costs."""
    timings = Timings(content["seconds"])
    reference = content["reference"]
    heads = (*WORKLOADS, "Start", "Peak memory", "Share of GEMM rate, A")
    rows: list[tuple[str, ...]] = []
    for name, costs in content["processes"].items():
        ratios = [timings.ratios(workload, name, reference) for workload in WORKLOADS]
        cells = [f"{statistics.median(found):.2f}" if found else "–" for found in ratios]
        seconds = statistics.median(cost["cpu_seconds"] for cost in costs)
        peak, other = (
            found[0]["peak_mebibytes"] for found in (costs, content["processes"][reference])
        )
        memory = f"{peak / other:.2f}" if peak and other else "–"
        rate, operations = content["gemm_per_second"], content["operations_of_A"]
        fastest = statistics.median(timings.seconds["A"][name])
        share = f"{operations / fastest / rate:.0%}" if rate else "–"
        rows.append((name, *cells, f"{seconds:.1f} s", memory, share))
    mixed = statistics.median(content["mixed_ratios"])
    blank = ("–",) * (len(heads) - 1)
    rows.append(("rows of five adapters (F), to one merged", f"{mixed:.2f}", *blank))
    narrow = content["bfloat16_gemm_per_second"] / content["gemm_per_second"]
    rows.append(("matrix products alone, in bfloat16", *blank, f"{narrow:.0%}"))
    title = f"Speed as a multiple of {reference}'s, {content['threads']} thread(s)"
    if content.get("processor"):  # files of earlier versions do not say
        title += f" of {content['processor']}"
    if content["scale"] < 1:
        title += f", {content['scale']:.0%} of the texts of A and B"
    return Table(title, ("Encoder", *heads), rows)
