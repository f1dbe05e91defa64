"""References to models: ``<base>+lora:<adapter>``.

A reference is all that a saved router keeps of its encoder, so it must be enough to rebuild the
same vectors. Base and adapter are each a folder, a Hub id (``owner/name`` or
``owner/name@revision``) or, for adapters, the name of a bundled one.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from semantic_router_lora.errors import ModelReferenceError

SEPARATOR = "+lora:"

_HUB_ID = re.compile(
    r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w./-]+))?\Z"
)


@dataclass(frozen=True)
class HubId:
    """A repository of the Hugging Face Hub, optionally at one revision."""

    repo: str
    revision: str | None = None

    def __str__(self) -> str:
        return self.repo if self.revision is None else f"{self.repo}@{self.revision}"


@dataclass(frozen=True)
class ModelReference:
    """A base model and the adapter on it; without an adapter, the base model alone."""

    base: str
    adapter: str | None = None

    def __str__(self) -> str:
        return self.base if self.adapter is None else f"{self.base}{SEPARATOR}{self.adapter}"

    @classmethod
    def parse(cls, text: str) -> ModelReference:
        """Split ``<base>+lora:<adapter>`` or a bare ``<base>``.

        Raises:
            ModelReferenceError: if either part is empty or the separator stands there twice.
        """
        base, separator, adapter = text.partition(SEPARATOR)
        if not base or (separator and not adapter) or SEPARATOR in adapter:
            raise ModelReferenceError(
                f"{text!r} is not a model reference; "
                f"expected '<base>' or '<base>{SEPARATOR}<adapter>'"
            )
        return cls(base, adapter or None)


def parse_hub_id(text: str) -> HubId | None:
    """Read ``owner/name`` or ``owner/name@revision``; None if the text has another form."""
    match = _HUB_ID.match(text)
    return HubId(match["repo"], match["revision"]) if match else None


def existing_folder(text: str) -> Path | None:
    """The absolute path of a folder that exists, else None.

    Absolute, because a reference outlives the working directory that it was made in.
    """
    try:
        path = Path(text).expanduser()
        return path.resolve() if path.is_dir() else None
    except (OSError, RuntimeError, ValueError):  # no such home, a name too long, a null byte
        return None


def checked_reference(reference: object, what: str) -> str:
    """A reference as text; a path object is one too.

    Raises:
        ModelReferenceError: if it is empty or neither text nor path.
    """
    text = str(reference) if isinstance(reference, os.PathLike) else reference
    if not isinstance(text, str) or not text.strip():
        raise ModelReferenceError(f"{what} is {reference!r}, expected a name, a folder or a Hub id")
    return text


def checked_folder_name(folder: Path, what: str) -> str:
    """The name of a folder in a reference.

    Raises:
        ModelReferenceError: if it holds the separator, so that the reference could not be read.
    """
    if SEPARATOR in str(folder):
        raise ModelReferenceError(f"{what} {folder}: its path must not contain {SEPARATOR!r}")
    return str(folder)
