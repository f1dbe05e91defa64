"""The published test sets of the reference system, and the way it measures on them.

Files ``medical/test_set.jsonl``, ``law/test_triplets.jsonl`` and
``programming/test_triplets.jsonl``, with the third text as ``negative`` or ``hard_negative``; at
most 2,000 triplets of each, drawn with ``random.seed(42)``; baseline all-MiniLM-L12-v2.
"""

from __future__ import annotations

from pathlib import Path

from semantic_router_lora.errors import DataError
from semantic_router_lora.hub import cached_snapshot, download_snapshot
from semantic_router_lora.reference import parse_hub_id

FILES = {
    "medical": "medical/test_set.jsonl",
    "law": "law/test_triplets.jsonl",
    "programming": "programming/test_triplets.jsonl",
}


def reference_files(name: str) -> dict[str, Path]:
    """The test files that there are, by domain.

    Args:
        name: ``hub:owner/name[@revision]`` of a dataset repository, or a folder of its layout.

    Raises:
        DataError: if the repository cannot be had, or holds none of the files.
    """
    folder = _snapshot(name.removeprefix("hub:")) if name.startswith("hub:") else Path(name)
    found = {domain: folder / file for domain, file in FILES.items() if (folder / file).is_file()}
    if not found:
        raise DataError(f"suite {name!r} holds none of {', '.join(FILES.values())}")
    return found


def _snapshot(name: str) -> Path:
    hub_id = parse_hub_id(name)
    if hub_id is None:
        raise DataError(f"suite 'hub:{name}': expected hub:owner/name or hub:owner/name@revision")
    patterns = list(FILES.values())
    cached = cached_snapshot(hub_id, patterns, repo_type="dataset")
    if cached is not None and any((cached / file).is_file() for file in patterns):
        return cached
    try:
        return download_snapshot(hub_id, patterns, repo_type="dataset")
    except ConnectionError as error:
        raise DataError(
            f"suite 'hub:{name}' is not in the Hugging Face cache, and {error}"
        ) from error
