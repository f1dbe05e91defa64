"""Snapshots of Hugging Face repositories: from the local cache, else from the Hub."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path

from semantic_router_lora.reference import HubId

_local_only: ContextVar[bool] = ContextVar("local_only", default=False)


@contextlib.contextmanager
def local_only() -> Iterator[None]:
    """Download nothing in this block, in this thread: what is not in the cache is not there."""
    previous = _local_only.set(True)
    try:
        yield
    finally:
        _local_only.reset(previous)


def cached_snapshot(
    hub_id: HubId, patterns: Sequence[str], *, repo_type: str = "model"
) -> Path | None:
    """The snapshot's folder in the local cache, or None if the cache has none of it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            hub_id.repo,
            revision=hub_id.revision,
            repo_type=repo_type,
            allow_patterns=list(patterns),
            local_files_only=True,
        )
    except (LocalEntryNotFoundError, HFValidationError):  # not there, or no such name can be
        return None
    return Path(folder)


def download_snapshot(hub_id: HubId, patterns: Sequence[str], *, repo_type: str = "model") -> Path:
    """Download the matching files from the Hub and return the snapshot's folder.

    Raises:
        ConnectionError: whatever went wrong, in one sentence; without a try if HF_HUB_OFFLINE
            is set, or inside of `local_only`.
    """
    from huggingface_hub import constants, snapshot_download

    if constants.HF_HUB_OFFLINE:
        raise ConnectionError("HF_HUB_OFFLINE is set")
    if _local_only.get():
        raise ConnectionError("nothing is downloaded here")
    try:
        folder = snapshot_download(
            hub_id.repo,
            revision=hub_id.revision,
            repo_type=repo_type,
            allow_patterns=list(patterns),
        )
    except Exception as error:  # the client's errors share no base class across its versions
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ConnectionError(f"the Hub did not serve {hub_id}: {reason}") from error
    return Path(folder)


def known_absent(hub_id: HubId, snapshot: Path, name: str) -> bool:
    """Whether the cache knows that the repository has no such file at the snapshot's commit.

    The Hub's client makes a note in the cache whenever it asks for a file in vain.
    """
    from huggingface_hub import _CACHED_NO_EXIST, try_to_load_from_cache

    found = try_to_load_from_cache(
        hub_id.repo, name, cache_dir=snapshot.parents[2], revision=snapshot.name
    )
    return found is _CACHED_NO_EXIST


def ask_for(hub_id: HubId, snapshot: Path, name: str) -> None:
    """Ask the Hub for one file of the snapshot's commit, so that the cache knows of its absence."""
    from huggingface_hub import hf_hub_download

    # without the note, the Hub is asked again next time
    with contextlib.suppress(Exception):
        hf_hub_download(hub_id.repo, name, cache_dir=snapshot.parents[2], revision=snapshot.name)
