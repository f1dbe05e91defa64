"""From the answers in a journal to files of triplets."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from semantic_router_lora.data.seen import SeenTexts
from semantic_router_lora.data.triplets import Triplet
from semantic_router_lora.generation.answers import AnswerError, parse_answer
from semantic_router_lora.generation.filters.candidate import Candidate, Removed
from semantic_router_lora.generation.journal import Journal
from semantic_router_lora.generation.queries import OTHER_SHARD, REASONS, QueryFile
from semantic_router_lora.generation.report import GenerationReport
from semantic_router_lora.generation.rows import candidate_of, triplets_of

Filters = Callable[[Sequence[Candidate]], list[tuple[Candidate, list[Removed]]]]

# Candidates that the filters see at a time: enough to embed in full batches.
_BATCH = 512
REPEATED = "repeated"


def write_answers(
    queries: QueryFile,
    journal: Journal,
    filters: Filters,
    output: Path,
    dropped: Path,
    *,
    domain: str,
    source: str,
    drop_repeated: bool = True,
    show_progress: bool = False,
) -> GenerationReport:
    """Parse and filter all answers, and write what is left, in the order of the queries.

    The same journal and filters give the same files, in whatever order the answers came. Both
    files are written beside their places and moved there when they are whole.

    Args:
        queries: the input.
        journal: its answers.
        filters: what a batch of candidates goes through.
        output: JSON lines of triplets.
        dropped: JSON lines of everything that did not get there, with the reason.
        domain: label of the rows.
        source: label of the rows: who wrote them.
        drop_repeated: leave out texts that stand in the rows of two queries.
        show_progress: draw a progress bar on standard error.

    Returns:
        The counts: written + rejected + failed (+ unasked) = all queries.
    """
    from tqdm.auto import tqdm

    report = GenerationReport()
    unfinished = [path.with_name(path.name + ".part") for path in (output, dropped)]
    total = int((queries.kinds == 0).sum())
    try:
        with (
            unfinished[0].open("w", encoding="utf-8") as rows,
            unfinished[1].open("w", encoding="utf-8") as rest,
            SeenTexts(output.parent) as seen,  # /tmp may be memory, and this may be large
            tqdm(total=total, unit="query", desc="filters", disable=not show_progress) as bar,
        ):
            if drop_repeated:
                for _, text in queries.texts():
                    seen.add(text)
            labels = (domain, source)
            writer = _Writer(report, rows, rest, seen if drop_repeated else None, labels)
            writer.unusable_rows(queries)
            for batch in _batches(_candidates(queries, journal, writer)):
                results = filters([candidate for _, candidate, _ in batch])
                for (row, _, unread), (candidate, removed) in zip(batch, results, strict=True):
                    writer.query(row, candidate, [*unread, *removed])
                bar.update(len(batch))
            bar.update(total - bar.n)  # those that had no usable answer
        for part, path in zip(unfinished, (output, dropped), strict=True):
            part.replace(path)
    finally:
        for part in unfinished:
            part.unlink(missing_ok=True)
    return report


class _Writer:
    def __init__(
        self,
        report: GenerationReport,
        rows: TextIO,
        rest: TextIO,
        seen: SeenTexts | None,
        labels: tuple[str, str],
    ) -> None:
        self._report = report
        self._rows = rows
        self._rest = rest
        self._seen = seen
        self._labels = labels

    def unusable_rows(self, queries: QueryFile) -> None:
        """Count and note the rows that were never asked for."""
        self._report.queries = int((queries.kinds != OTHER_SHARD).sum())
        for row, kind in enumerate(queries.kinds):
            if kind in REASONS:
                self.rejected(row, None, REASONS[kind])

    def rejected(self, row: int, query: str | None, reason: str) -> None:
        self._report.rejected[reason] += 1
        self._note(row, outcome="rejected", query=query, reason=reason)

    def failed(self, row: int, query: str, reason: str) -> None:
        # the error of one query often holds its text; the kind of error is what is counted
        self._report.failed[reason.partition(":")[0]] += 1
        self._note(row, outcome="failed", query=query, reason=reason)

    def unasked(self) -> None:
        self._report.unasked += 1

    def query(self, row: int, candidate: Candidate, removed: list[Removed]) -> None:
        """Write the rows of a query, less texts that stand in rows of earlier ones."""
        candidate, repeated = self._without_seen(candidate)
        triplets, unused = triplets_of(candidate, *self._labels)
        removed = [*removed, *repeated, *unused]
        for text in removed:
            self._report.remove(text)
            self._note(row, **asdict(text))
        if not triplets:
            why = Counter(text.filter for text in removed)
            missing = "near miss" if candidate.paraphrases else "paraphrase"
            reason = f"no {missing} left after {', '.join(sorted(why)) or 'reading'}"
            self.rejected(row, candidate.query, reason)
            return
        self._report.written += 1
        self._report.triplets += len(triplets)
        for triplet in triplets:
            self._report.traps[triplet.trap or "none"] += 1
            self._rows.write(_line(triplet))

    def _without_seen(self, candidate: Candidate) -> tuple[Candidate, list[Removed]]:
        """Leave out what is a query of the input, or stands in the rows of an earlier one.

        In two groups, one text would be a paraphrase here and an unrelated text there.
        """
        if self._seen is None:
            return candidate, []
        removed = []
        kept: dict[str, list[Any]] = {"paraphrase": [], "negative": []}
        texts = [("paraphrase", text, text) for text in candidate.paraphrases]
        negatives = [("negative", text, (trap, text)) for trap, text in candidate.negatives]
        for kind, text, item in [*texts, *negatives]:
            if self._seen.add(text):
                kept[kind].append(item)
            else:
                reason = "is a query, or stands in the rows of another"
                removed.append(Removed(REPEATED, kind, text, candidate.query, reason))
        return Candidate(
            candidate.query, tuple(kept["paraphrase"]), tuple(kept["negative"])
        ), removed

    def _note(self, row: int, **what: Any) -> None:
        found = {name: value for name, value in what.items() if value is not None}
        self._rest.write(json.dumps({"row": row + 1, **found}, ensure_ascii=False) + "\n")


def _line(triplet: Triplet) -> str:
    row = {name: value for name, value in asdict(triplet).items() if value is not None}
    return json.dumps(row, ensure_ascii=False) + "\n"


def _candidates(
    queries: QueryFile, journal: Journal, writer: _Writer
) -> Iterator[tuple[int, Candidate, list[Removed]]]:
    for row, text in queries.texts():
        entry = journal.entry(row)
        if entry is None:
            writer.unasked()
        elif "error" in entry:
            writer.failed(row, text, str(entry["error"]))
        else:
            try:
                answer = parse_answer(entry["answer"])
            except AnswerError as error:
                writer.failed(row, text, f"unusable answer: {error}")
            else:
                yield row, *candidate_of(text, answer)


def _batches(items: Iterator[Any]) -> Iterator[list[Any]]:
    while batch := list(itertools.islice(items, _BATCH)):
        yield batch
