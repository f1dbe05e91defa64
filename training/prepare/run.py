"""One source from originals to a file of rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prepare import outputs
from prepare.archives import Originals, open_originals
from prepare.catalogue import GitHubSource, HubSource
from prepare.download import fetch
from prepare.hub import Records, hub_records, local_records
from prepare.rows import Rows
from semantic_router_lora.data.triplets import write_triplets
from semantic_router_lora.errors import DataError

Say = Callable[[str], None]
Source = GitHubSource | HubSource


def originals_of(source: Source, raw: Path | None, cache: Path, say: Say) -> Originals | Records:
    """What a source is made of, from local files if a folder is given.

    Raises:
        DataError: if it cannot be had.
    """
    if isinstance(source, HubSource):
        if raw is not None:
            return local_records(raw, source.name)
        return hub_records(source.repository, source.configuration, source.snapshot, source.files)
    return from_folder(source, raw) if raw is not None else from_internet(source, cache, say)


def prepare(
    source: Source,
    originals: Originals | Records,
    folder: Path,
    forbidden: list[str],
    say: Say,
) -> dict[str, Any]:
    """Make and write the rows of a source, say what became of its units, return the record.

    Raises:
        DataError: if an original is not as expected, or yields no row.
    """
    rows = Rows(source.name, forbidden)
    source.make(originals, rows)  # type: ignore[arg-type]  # each comes with its own kind
    kept = rows.finish()
    if not kept:
        reasons = ", ".join(f"{count} {why}" for why, count in rows.dropped.most_common(3))
        raise DataError(f"{originals.where}: no row of {rows.read} units ({reasons or 'empty'})")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{source.name}.jsonl"
    temporary = path.with_suffix(".part")
    write_triplets(temporary, kept)
    temporary.replace(path)
    say(f"{source.name}: read {rows.read:,}, kept {len(kept):,}")
    for reason, count in sorted(rows.dropped.items(), key=lambda item: (-item[1], item[0])):
        say(f"  {count:>7,} dropped: {reason}")
    about = {
        "repository": source.repository,
        "snapshot": source.snapshot,
        "licence": source.licence,
    }
    return outputs.entry(rows, path, originals.sha256, about)


def from_folder(source: GitHubSource, raw: Path) -> Originals:
    """Find the originals of a source among archives or unpacked folders.

    Raises:
        DataError: if they are not there.
    """
    if not raw.is_dir():
        raise DataError(f"{raw}: no such folder")
    name = source.repository.split("/")[1]
    options = [raw / f"{name}.tar.gz", raw / name]
    options += sorted(path for path in raw.iterdir() if path.name.startswith(f"{name}-"))
    for path in options:
        if path.exists():
            return open_originals(path, source.wanted)
    raise DataError(f"{raw}: holds neither {name}.tar.gz nor a folder {name}")


def from_internet(source: GitHubSource, cache: Path, say: Say) -> Originals:
    """Download what is not in the cache yet, and read it.

    Raises:
        DataError: if a download fails.
    """
    folder = cache / f"{source.name}-{source.snapshot}"
    paths = []
    for url in source.urls:
        paths.append(folder / url.rsplit("/", 1)[1])
        fetch(url, paths[-1], say)
    return open_originals(folder if source.single else paths[0], source.wanted)
