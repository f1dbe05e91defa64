"""Putting an adapter on the Hub, and reading back what the Hub then has."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from semantic_router_lora.errors import EndpointError, InputError
from semantic_router_lora.publishing.checked import checked_repository
from semantic_router_lora.publishing.folder import PUBLISHED, Upload
from semantic_router_lora.publishing.hub_errors import asked
from semantic_router_lora.publishing.secrets import redacted_logs
from semantic_router_lora.reference import HubId

if TYPE_CHECKING:
    from huggingface_hub import HfApi

logger = logging.getLogger(__name__)

MAIN = "main"


@dataclass(frozen=True)
class Published:
    """Where an adapter lies now.

    Attributes:
        hub_id: repository and commit: a reference that always means these files.
        url: of that commit, for a browser.
        others: what else the repository holds; it was left as it is.
    """

    hub_id: HubId
    url: str
    others: list[str]


def usable_token() -> str:
    """The token that huggingface_hub finds.

    Raises:
        InputError: if there is none, or HF_HUB_OFFLINE is set.
    """
    from huggingface_hub import constants, get_token

    if constants.HF_HUB_OFFLINE:
        raise InputError("HF_HUB_OFFLINE is set: unset it to publish")
    token = get_token()
    if not token:
        raise InputError("no token for the Hub: log in (hf auth login), or set HF_TOKEN")
    return token


def publish(
    upload: Upload,
    repo_id: str,
    *,
    private: bool = False,
    revision: str | None = None,
    message: str | None = None,
) -> Published:
    """Upload what `checked_upload` returned, as one commit.

    The token is the one that huggingface_hub finds: HF_TOKEN, or that of ``hf auth login``. Known
    files that the repository has from an earlier adapter, and this one has not, are removed in
    the same commit: an old tokenizer would change the vectors.

    Args:
        upload: the files.
        repo_id: ``owner/name``; made if it does not exist.
        private: make it private; an existing repository that is public is refused.
        revision: branch to write to; made if it does not exist.
        message: of the commit.

    Raises:
        InputError: if there is no token, HF_HUB_OFFLINE is set, or a public repository is in the
            way of a private one.
        EndpointError: if the Hub refuses, fails, or has other bytes afterwards.
    """
    from huggingface_hub import HfApi

    checked_repository(repo_id)
    token = usable_token()
    branch = revision or MAIN
    with redacted_logs(token):
        api = HfApi(token=token)
        parent = _prepare(api, token, repo_id, private, branch)
        return _commit(api, token, upload.content, HubId(repo_id, parent), branch, message)


def _prepare(api: HfApi, token: str, repo_id: str, private: bool, branch: str) -> str:
    """Make sure that repository and branch exist; returns the branch's last commit."""
    asked("logging in to the Hub", api.whoami, token)
    asked(
        f"creating {repo_id}",
        lambda: api.create_repo(repo_id, private=private or None, exist_ok=True),
        token,
    )
    if branch != MAIN:
        asked(
            f"creating branch {branch} of {repo_id}",
            lambda: api.create_branch(repo_id, branch=branch, exist_ok=True),
            token,
        )
    info = asked(f"reading {repo_id}", lambda: api.model_info(repo_id, revision=branch), token)
    if private and not info.private:
        raise InputError(
            f"{repo_id} exists and is public: nothing was uploaded; make it private in its settings"
        )
    if not info.sha:
        raise EndpointError(f"the Hub names no commit of {repo_id}: nothing was uploaded")
    return info.sha


def _commit(
    api: HfApi,
    token: str,
    content: dict[str, bytes],
    parent: HubId,
    branch: str,
    message: str | None,
) -> Published:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, constants

    repo_id = parent.repo
    step = f"reading the files of {repo_id}"
    there = asked(step, lambda: api.list_repo_files(repo_id, revision=parent.revision), token)
    stale = [name for name in there if name in PUBLISHED and name not in content]
    operations: list[Any] = [
        *(CommitOperationAdd(name, data) for name, data in content.items()),
        *(CommitOperationDelete(name) for name in stale),
    ]
    done = asked(
        f"uploading to {repo_id}",
        lambda: api.create_commit(
            repo_id,
            operations,
            commit_message=message or "Publish adapter",
            revision=branch,
            parent_commit=parent.revision,
        ),
        token,
    )
    hub_id = HubId(repo_id, done.oid)
    _read_back(api, token, hub_id, content)
    return Published(
        hub_id,
        f"{constants.ENDPOINT}/{repo_id}/tree/{done.oid}",
        [name for name in there if name not in PUBLISHED and name != ".gitattributes"],
    )


def _read_back(api: HfApi, token: str, hub_id: HubId, content: dict[str, bytes]) -> None:
    """Compare the digests that the Hub has with those of the files.

    A .gitignore in the repository can keep a file out of a commit, and a hook can change one.
    """
    found = asked(
        f"reading back {hub_id}",
        lambda: api.get_paths_info(hub_id.repo, list(content), revision=hub_id.revision),
        token,
    )
    there = {file.path: file for file in found}
    for name, data in content.items():
        file = there.get(name)
        lfs = getattr(file, "lfs", None)
        if lfs is not None:
            same = lfs.sha256 == hashlib.sha256(data).hexdigest()
        else:  # git's own digest
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False)
            same = getattr(file, "blob_id", None) == blob.hexdigest()
        if not same:
            raise EndpointError(f"{hub_id} was written, but the Hub has another {name} or none")
    logger.info("%s has all %d files", hub_id, len(content))
