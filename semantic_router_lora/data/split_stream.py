"""A file of triplets of any size parted into train, dev and test."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path
from typing import Any

from semantic_router_lora.data.files import file_rows, json_lines
from semantic_router_lora.data.seen import digest, text_digest
from semantic_router_lora.data.seen_rows import PARAPHRASE, SeenRows, WordSet
from semantic_router_lora.data.split import Split, checked_shares, part_files, stratum
from semantic_router_lora.data.triplets import Triplet, held_fields, parse_triplet
from semantic_router_lora.data.words import plain
from semantic_router_lora.data.writing import json_line, write_rows
from semantic_router_lora.errors import DataError

_RANGE = 1 << 53


def split_stream(path: Path, folder: Path, shares: Mapping[str, float], seed: int) -> Split:
    """Write the rows of a file into one file a part, as `split_file` does, without holding them.

    A hash of its group decides where a row goes, or of its anchor if it has none, so that the
    parts are as large as asked and alike in domains and traps but for chance. A row that shares a
    text with an earlier one of another part, or one of nearly the same words (see `WordSet`), is
    left out and counted. `merge_files` leaves no text in two groups, so put it before this.

    Memory does not grow with the rows; temporary files in the folder take more than the rows do.

    Args:
        path: .jsonl, .csv or .parquet; the parts are of the same kind.
        folder: for the parts; it must be there.
        shares: share of the rows for each part; those of 0 are not written.
        seed: another one gives other parts.

    Raises:
        InputError: if the shares are negative or do not add up to 1, or the folder is missing.
        DataError: if the file cannot be used, with the line; or if a part would be empty.
    """
    shares = checked_shares(shares)
    files = part_files(path, folder, shares)
    split = Split(files, {part: Counter() for part in shares}, {})
    with tempfile.TemporaryDirectory(dir=folder, prefix=".split-") as name:
        spools = {part: Path(name) / f"{part}.rows.jsonl" for part in shares}
        with ExitStack() as stack:
            seen = stack.enter_context(SeenRows(folder))
            opened = {
                part: stack.enter_context(spool.open("w", encoding="utf-8", newline="\n"))
                for part, spool in spools.items()
            }
            for part, triplet, row in _parted(path, shares, seed):
                if _fits(triplet, 1 + list(shares).index(part), seen):
                    opened[part].write(json_line(held_fields(row)))
                    split.rows[part][stratum(triplet)] += 1
                else:
                    split.left_out[part] += 1
        for part, counts in split.rows.items():
            if not counts:
                raise DataError(f"{path}: {part} would be empty; its groups are too few")
        written = {part: Path(name) / file.name for part, file in files.items()}
        for part, spool in spools.items():
            write_rows(written[part], (row for _, row in json_lines(spool)))
        for part, file in written.items():
            file.replace(files[part])
    return split


def _parted(
    path: Path, shares: Mapping[str, float], seed: int
) -> Iterator[tuple[str, Triplet, dict[str, Any]]]:
    """Each row with its part."""
    bounds = list(zip(shares, accumulate(shares.values()), strict=True))
    empty = True
    for number, row in file_rows(path):
        triplet = parse_triplet(row, f"{path}:{number}")
        own = ("group", triplet.group) if triplet.group else ("anchor", plain(triplet.anchor))
        place = digest(str(seed), *own) % _RANGE / _RANGE
        # the shares may add up to a little less than 1
        yield next((part for part, end in bounds if place < end), bounds[-1][0]), triplet, row
        empty = False
    if empty:
        raise DataError(f"{path}: holds no triplets")


def _fits(triplet: Triplet, part: int, seen: SeenRows) -> bool:
    """Take a row in if no other part has a text of it; if not, nothing of it is remembered."""
    digests = {text_digest(text): text for text in triplet.texts}
    known = seen.texts(digests)
    if any(other != part for _, other in known.values()):
        return False
    new = [WordSet(text) for key, text in digests.items() if key not in known]
    if seen.holds_near(new, part):
        return False
    seen.add_word_sets(new, part)
    seen.add_texts((key, PARAPHRASE, part) for key in digests)
    return True
