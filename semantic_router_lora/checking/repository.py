"""What else lies in the repository on the Hub that a snapshot was taken from."""

from __future__ import annotations

from semantic_router_lora.checking.files import unknown_name
from semantic_router_lora.checking.outcome import Outcome, skipped, verdict, warned
from semantic_router_lora.checking.subject import KNOWN_FILES, Subject

_OF_GIT = ".gitattributes"


def check_repository(subject: Subject) -> Outcome:
    """Only an adapter's files: what is not fetched here, others may fetch."""
    cached = subject.folder.parent.parent.name.split("--")
    if subject.folder.parent.name != "snapshots" or cached[0] != "models" or len(cached) != 3:
        return skipped("a folder, not a snapshot of a repository on the Hub")
    from huggingface_hub import HfApi

    repository, commit = f"{cached[1]}/{cached[2]}", subject.folder.name
    try:
        names = HfApi().list_repo_files(repository, revision=commit)
    except Exception as error:  # the client's errors share no base class across its versions
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return warned([f"the files of {repository} at {commit} could not be listed: {reason}"])
    problems = [
        f"{name}: {unknown_name(name)}" for name in names if name not in (*KNOWN_FILES, _OF_GIT)
    ]
    return verdict(problems, f"{repository} at {commit} holds nothing else")
