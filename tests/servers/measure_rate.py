"""How busy `generate` keeps a server: its rate as a share of the ideal one.

The server answers every request after the same time, so the ideal rate is requests in flight /
latency. Server and client share the machine. Writes docs/results/generation-rate.json.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from servers.processes import running_chat_server  # noqa: E402

from semantic_router_lora.benchmark.results import environment  # noqa: E402
from semantic_router_lora.generation.filters.pipeline import FilterSettings  # noqa: E402
from semantic_router_lora.generation.job import GenerationJob, generate  # noqa: E402

QUERIES, RUNS, IN_FLIGHT, LATENCY = 5000, 5, 64, 0.1


def main() -> None:
    """Run and write."""
    shares = []
    with (
        tempfile.TemporaryDirectory() as name,
        running_chat_server(Path(name), latency=LATENCY) as server,
    ):
        queries = Path(name) / "queries.txt"
        queries.write_text("".join(f"how do I clean part {n} of a clock\n" for n in range(QUERIES)))
        for run in range(RUNS):
            job = GenerationJob(
                queries=queries,
                output=Path(name) / f"{run}.jsonl",
                domain="clocks",
                model="m",
                endpoints=[server.url],
                concurrency=IN_FLIGHT,
                filters=FilterSettings(),
            )
            before = len(server.requests)
            generate(job)
            sent = [event["time"] for event in server.log() if event["event"] == "request"]
            taken = sent[-1] - sent[before] + LATENCY
            shares.append(QUERIES / taken / (IN_FLIGHT / LATENCY))
    content = {
        "command": "python tests/servers/measure_rate.py",
        "queries": QUERIES,
        "in_flight": IN_FLIGHT,
        "latency_seconds": LATENCY,
        "ideal_per_second": IN_FLIGHT / LATENCY,
        "shares": [round(share, 4) for share in shares],
        "median_share": round(statistics.median(shares), 4),
        **environment("cpu"),
        "openai": version("openai"),
    }
    path = ROOT / "docs" / "results" / "generation-rate.json"
    path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
