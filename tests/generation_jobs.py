"""Jobs that ask about the parts of a bicycle, and what a server answers them."""

from __future__ import annotations

import json
import sys

import pytest

from semantic_router_lora.generation.asking import Persistence
from semantic_router_lora.generation.filters.pipeline import FilterSettings
from semantic_router_lora.generation.job import GenerationJob

QUICK = Persistence(attempts=4, backoff=0.01)
TRAPS = ("aspect", "entity", "number", "negation", "scope", "role")


def question(number: int) -> str:
    return f"how do I repair part {number} of my old bicycle"


def answer(query: str) -> str:
    """An answer whose texts pass every filter of words."""
    part = query.split()[5]
    others = ("clean", "replace", "paint", "buy", "sell", "remove")
    return json.dumps(
        {
            "paraphrases": [
                f"my old bike's part {part} is broken, what now?",
                f"bicycle part {part} repair steps",
                f"fixing piece {part} on an ancient bike?",
            ],
            "negatives": {
                trap: f"how do I {verb} part {part} of my old bicycle"
                for trap, verb in zip(TRAPS, others, strict=True)
            },
        }
    )


def answers(count: int) -> dict[str, str]:
    return {question(number): answer(question(number)) for number in range(count)}


@pytest.fixture
def make_job(tmp_path):
    def make(server=None, count: int = 40, output: str = "out.jsonl", **options) -> GenerationJob:
        queries = tmp_path / f"queries-{count}.txt"
        queries.write_text("".join(question(number) + "\n" for number in range(count)))
        options = {"persistence": QUICK, "concurrency": 8, "timeout": 5.0} | options
        return GenerationJob(
            **{"queries": queries, "output": tmp_path / output, "domain": "bikes", "model": "m"}
            | {"endpoints": [server.url] if server else [], "filters": FilterSettings()}
            | options
        )

    return make


def outcomes(report) -> tuple[int, int, int]:
    found = report.written, report.rejected.total(), report.failed.total()
    assert sum(found) + report.unasked == report.queries
    return found


def command(job: GenerationJob, *more: str) -> list[str]:
    options = ["--output", str(job.output), "--domain", job.domain, "--model", job.model]
    options += ["--endpoint", job.endpoints[0], "--embedder", "none", "--concurrency", "8"]
    return [
        sys.executable,
        "-m",
        "semantic_router_lora",
        "generate",
        str(job.queries),
        *options,
        *more,
    ]
