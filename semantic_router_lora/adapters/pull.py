"""Fetching an adapter of the catalogue or of the Hub, to use it or to look at it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.resolve import bundled_adapters, resolve_adapter
from semantic_router_lora.errors import InputError
from semantic_router_lora.reference import existing_folder


def pull_adapter(reference: str, output: Path | None = None) -> Path:
    """Fetch an adapter, verify its weights if the catalogue knows them, and return its folder.

    Args:
        reference: a name in the catalogue, or a Hub id (``owner/name[@revision]``).
        output: folder to copy the files to, which must not exist or be empty; None leaves them in
            the Hugging Face cache.

    Raises:
        InputError: if the reference is a folder already, or the output is taken.
        ModelReferenceError: if there is no such adapter, or the Hub does not serve it.
        AdapterFormatError: if it is incomplete, or has other weights than the catalogue says.
    """
    if reference not in bundled_adapters() and existing_folder(reference) is not None:
        raise InputError(f"{reference} is a folder on this machine: there is nothing to fetch")
    if output is not None:
        _check_output(output)
    folder = resolve_adapter(reference, refresh=True).folder
    return folder if output is None else _copy(folder, output)


def _check_output(output: Path) -> None:
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        raise InputError(f"output {output} is no folder")
    if output.is_dir() and any(output.iterdir()):
        raise InputError(f"output {output} is not empty: not overwritten")


def _copy(folder: Path, output: Path) -> Path:
    """Copy the known files, all or none."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=".pull-") as unfinished:
            copy = Path(unfinished) / output.name
            copy.mkdir()
            for name in (*layout.FILES, layout.TRAINING_PLOT):
                if (folder / name).is_file():
                    shutil.copyfile(folder / name, copy / name)
            copy.replace(output)
    except OSError as error:
        raise InputError(f"output {output} cannot be written: {error.strerror}") from error
    return output
