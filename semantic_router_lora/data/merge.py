"""Many files of triplets made one, without what stands in them twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from semantic_router_lora.data.files import file_rows
from semantic_router_lora.data.seen import digest, text_digest
from semantic_router_lora.data.seen_rows import NEGATIVE, NO_GROUP, PARAPHRASE, SeenRows, WordSet
from semantic_router_lora.data.triplets import Triplet, held_fields, parse_triplet
from semantic_router_lora.data.writing import check_output, write_rows
from semantic_router_lora.errors import DataError

Near = Literal["paraphrases", "all", "none"]

COPY = "copies of an earlier row"
SAME_PAIR = "anchor and positive of an earlier row, with another negative"
REPEATED = "one text twice in the row"
CONFLICT = "a paraphrase here, a negative in an earlier row, or the reverse"
SAME_NEGATIVE = "negative of an earlier row"
OTHER_GROUP = "anchor or positive of an earlier row outside of its group"
NEAR = "nearly a text of an earlier row outside of its group"

REASONS = (COPY, SAME_PAIR, REPEATED, CONFLICT, SAME_NEGATIVE, OTHER_GROUP, NEAR)


@dataclass
class MergeCounts:
    """What became of the rows; ``written`` and all of ``dropped`` add up to all of ``read``.

    Attributes:
        read: rows of each file, by its place among the files.
        dropped: rows that were left out, by reason, one of `REASONS`.
        written: rows of the output.
    """

    read: Counter[int] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    written: int = 0


def merge_files(paths: Sequence[Path], output: Path, near: Near = "paraphrases") -> MergeCounts:
    """Write the rows of all files into one, in order, without repeated and contradictory ones.

    The rows are read once, one after the other; memory does not grow with them. A temporary file
    beside the output grows by about 250 bytes a row (65 if ``near`` is ``none``) and is deleted at
    the end. Of two rows that do not go together the earlier one stays. A row is left out, for the
    first reason that holds:

    - `COPY`: its texts are those of an earlier row of its group (anchor and positive may have
      changed places). What `plain` leaves out of a text does not count, here and below.
    - `SAME_PAIR`: so are its anchor and positive, with another negative.
    - `REPEATED`: two of its own three texts are the same.
    - `CONFLICT`: its anchor or positive is the negative of an earlier row, or the reverse.
    - `SAME_NEGATIVE`: its negative is that of an earlier row.
    - `OTHER_GROUP`: its anchor or positive is that of an earlier row of another group, or one of
      the two rows has no group. Rows of one group may share paraphrases: they are a family.
    - `NEAR`: its anchor or positive has nearly the words of one of an earlier row of another group
      or without a group (see `WordSet`). Order of words, punctuation and repeated words do not
      count, and that is why negatives are not compared so, unless ``near`` is ``all``: two
      negatives, or a paraphrase and a negative, may differ in who does what to whom alone.

    The output passes `check_files` but for near-identical texts of these kinds, which are left:
    those that differ by more than one word (nine tenths of thirty words can be shared with three
    words exchanged); those of one group whose rows share no paraphrase, since a later row can
    join them; and, unless ``near`` is ``all``, those of which one is a negative.

    Fields that are empty are left out, and ``hard_negative`` becomes ``negative``; all other
    fields stay as they are.

    Args:
        paths: files of triplets, of any kind that can be read.
        output: .jsonl, .csv or .parquet; replaced if it is there, once it is whole.
        near: compare ``paraphrases``, ``all`` texts or ``none`` by their words.

    Raises:
        InputError: if the output cannot be written.
        DataError: if a file cannot be used, with the line; or if no file holds any row.
        MissingExtraError: for Parquet without pyarrow.
    """
    check_output(output)
    counts = MergeCounts()
    with SeenRows(output.parent) as seen:
        counts.written = write_rows(output, _kept(paths, seen, near, counts))
    return counts


def _kept(
    paths: Sequence[Path], seen: SeenRows, near: Near, counts: MergeCounts
) -> Iterator[dict[str, Any]]:
    for place, path in enumerate(paths):
        for number, row in file_rows(path):
            triplet = parse_triplet(row, f"{path}:{number}")
            counts.read[place] += 1
            reason = _add(triplet, seen, near)
            if reason is None:
                yield held_fields(row)
            else:
                counts.dropped[reason] += 1
    if not counts.read:
        raise DataError(f"{', '.join(map(str, paths))}: no triplets in any file")


def _add(triplet: Triplet, seen: SeenRows, near: Near) -> str | None:
    """Take a row in, or say why not; of a row that is left out nothing is remembered."""
    anchor, positive, negative = map(text_digest, triplet.texts)
    group = triplet.group or ""
    owner = digest(group) if group else NO_GROUP
    pair = digest(group, *sorted(map(str, (anchor, positive))))
    earlier = seen.negative_of(pair)
    if earlier is not None:
        return COPY if earlier == negative else SAME_PAIR
    if len({anchor, positive, negative}) < 3:
        return REPEATED
    known = seen.texts((anchor, positive, negative))
    labels = {anchor: PARAPHRASE, positive: PARAPHRASE, negative: NEGATIVE}
    if any(known[text][0] != label for text, label in labels.items() if text in known):
        return CONFLICT
    if negative in known:
        return SAME_NEGATIVE
    if any(found == NO_GROUP or found != owner for _, found in known.values()):
        return OTHER_GROUP
    # what its group has already was compared when it came
    compared = {"none": 0, "paraphrases": 2, "all": 3}[near]
    new = [
        WordSet(text)
        for text, key in zip(triplet.texts[:compared], labels, strict=False)
        if key not in known
    ]
    if seen.holds_near(new, owner):
        return NEAR
    seen.add_word_sets(new, owner)
    seen.add_texts((text, label, owner) for text, label in labels.items())
    seen.add_pair(pair, negative)
    return None
