"""Large inputs: memory that does not follow the texts, and many workers on one file."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from pathlib import Path

import pytest
from servers.processes import running_chat_server

from semantic_router_lora.data.check import check_files
from semantic_router_lora.data.files import file_rows
from semantic_router_lora.data.merge import CONFLICT, OTHER_GROUP, SAME_NEGATIVE, merge_files
from semantic_router_lora.data.triplets import TRAPS, read_triplets
from semantic_router_lora.generation.asking import Asking
from semantic_router_lora.generation.endpoints import Endpoint
from semantic_router_lora.generation.filters.candidate import Candidate
from semantic_router_lora.generation.job import GenerationJob, generate
from semantic_router_lora.generation.journal import Journal
from semantic_router_lora.generation.places import Persistence
from semantic_router_lora.generation.prompts import load_prompt
from semantic_router_lora.generation.queries import scan_queries
from semantic_router_lora.generation.replies import Reply
from semantic_router_lora.generation.shard import Shard
from semantic_router_lora.generation.writing import write_answers

# 25 a query, the room that a growing array takes in advance, and what waits for the garbage
# collector at the moment of the peak
MOST_BYTES = 34


class Answering(Endpoint):
    """Answers at once, without a network."""

    async def ask(self, messages: list[dict[str, str]]) -> Reply:
        await asyncio.sleep(0)
        query = messages[-1]["content"]
        content = {
            "paraphrases": [f"{query}, in other words"],
            "negatives": {"aspect": f"price of {query}"},
        }
        return Reply(json.dumps(content), "stop")


def peaks(folder: Path, count: int) -> list[int]:
    """Most bytes that Python held while a job scanned, asked and wrote."""
    path = folder / f"{count}.txt"
    with path.open("w") as file:
        file.writelines(f"how do I clean part {n} of the clock in my hall\n" for n in range(count))
    endpoint = Answering("http://localhost/v1", "m", key=None, schema={}, timeout=1.0, request={})
    journal_file, output, dropped = (folder / f"{name}.jsonl" for name in ("journal", "out", "not"))
    journal_file.unlink(missing_ok=True)
    found = []

    def mark() -> None:
        found.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.reset_peak()

    tracemalloc.start()
    try:
        queries = scan_queries(path)
        mark()
        with Journal(journal_file, {}, count) as journal:
            asking = Asking(
                queries,
                journal,
                load_prompt("clocks"),
                paraphrases=1,
                concurrency=4,
                persistence=Persistence(),
            )
            assert asyncio.run(asking.run([endpoint]))
            mark()
            report = write_answers(
                queries, journal, unfiltered, output, dropped, domain="clocks", source="test"
            )
            mark()
    finally:
        tracemalloc.stop()
    assert report.written == count
    return found


def unfiltered(batch: list[Candidate]) -> list[tuple[Candidate, list[object]]]:
    return [(candidate, []) for candidate in batch]


@pytest.mark.slow
def test_memory_grows_by_25_bytes_a_query_whatever_the_texts_are(tmp_path):
    few, many = 2_000, 20_000
    peaks(tmp_path, few)  # what is imported on the way counts once
    for less, more in zip(peaks(tmp_path, few), peaks(tmp_path, many), strict=True):
        assert (more - less) / (many - few) < MOST_BYTES


def test_workers_share_a_file_and_merging_finds_what_two_of_them_wrote(tmp_path):
    """Texts repeat across shards in each way; equal queries in different rows are asked once."""
    count, workers = 30, 3
    asked = [f"how do I repair part {n} of my old bicycle" for n in range(count)]
    path = tmp_path / "queries.csv"
    path.write_text("".join(f"{row}\n" for row in ["query", *asked, *asked[:5]]))

    def answer(number: int) -> dict[str, object]:
        other = asked[(number + 1) % count]
        paraphrases = [f"bicycle part {number} repair steps", f"fixing piece {number} on a bike?"]
        near_misses = [f"how do I paint part {number} of my old bicycle", "price of a bicycle part"]
        if number % 2:
            paraphrases.insert(0, other)  # a query of the input, mostly of another shard
        else:
            near_misses.append(other)
        return {
            "paraphrases": paraphrases,
            "negatives": dict(zip(TRAPS, near_misses, strict=False)),
        }

    answers = {query: answer(number) for number, query in enumerate(asked)}
    with running_chat_server(tmp_path, answers=answers) as server:
        jobs = [
            GenerationJob(
                queries=path,
                output=tmp_path / f"{number}.jsonl",
                domain="bikes",
                model="m",
                endpoints=[server.url],
                shard=Shard(number, workers),
            )
            for number in range(1, workers + 1)
        ]
        reports = [generate(job) for job in jobs]
        assert sorted(server.answered) == sorted(asked)
    assert sum(report.queries for report in reports) == count + 5
    assert sum(report.written for report in reports) == count
    assert all(len(report.examples["repeated"]) > 0 for report in reports)
    merged = tmp_path / "merged.parquet"
    counts = merge_files([job.output for job in jobs], merged)
    assert set(counts.dropped) == {SAME_NEGATIVE, CONFLICT, OTHER_GROUP}
    rows = [row for job in jobs for row in read_triplets(job.output)]
    assert counts.written == len(rows) - counts.dropped.total()
    left = read_triplets(merged)
    assert len(list(file_rows(merged))) == counts.written
    assert {row.texts for row in left} < {row.texts for row in rows}
    assert check_files([merged]).passed
    assert sum(row.negative == "price of a bicycle part" for row in left) == 1


@pytest.mark.parametrize("text", ["1/2", "2/2"])
def test_a_shard_is_the_same_for_every_format(tmp_path, text):
    queries = [f"question {number} about tea" for number in range(50)]
    (tmp_path / "a.txt").write_text("\n".join(queries))
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": q}) + "\n" for q in queries))
    (tmp_path / "a.csv").write_text("\n".join(["question", *queries]))
    found = [list(scan_queries(p, shard=Shard.parse(text)).texts()) for p in tmp_path.glob("a.*")]
    assert len(found) == 3 and found[0] and found.count(found[0]) == 3
