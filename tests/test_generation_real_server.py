"""Generation against a server that nobody here wrote, with a model that talks nonsense."""

from __future__ import annotations

import json

import pytest
from servers.transformers_serve import running_transformers, save_random_model

from semantic_router_lora.generation.asking import Persistence
from semantic_router_lora.generation.job import GenerationJob, generate

pytestmark = pytest.mark.slow


def test_nonsense_of_a_random_model_ends_as_failed_or_rejected(tmp_path):
    queries = [f"how often should fern number {number} be watered" for number in range(12)]
    path = tmp_path / "queries.txt"
    path.write_text("\n".join(queries))
    save_random_model(tmp_path / "model", queries)
    with running_transformers(tmp_path, tmp_path / "model") as server:
        job = GenerationJob(
            queries=path,
            output=tmp_path / "out.jsonl",
            domain="gardening",
            model=server.model,
            endpoints=[server.url],
            max_tokens=32,
            persistence=Persistence(backoff=0.1),
        )
        report = generate(job)
    assert report.queries == len(queries) == report.failed.total() + report.rejected.total()
    notes = [json.loads(line) for line in job.dropped.read_text().splitlines()]
    outcomes = {note["row"]: note["reason"] for note in notes if "outcome" in note}
    assert sorted(outcomes) == list(range(1, 13))
    assert all("unusable answer" in reason for reason in outcomes.values())
    journal = [json.loads(line) for line in job.journal.read_text().splitlines()[1:]]
    assert len({entry["answer"] for entry in journal}) > 6, "the model did answer"
    assert job.output.read_text() == ""
