"""The files of a recipe: one name and one part for each, and no test suite among them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from semantic_router_lora.base_models import file_sha256
from semantic_router_lora.benchmark.suite import bundled_digests
from semantic_router_lora.errors import DataError
from semantic_router_lora.training.recipe import Recipe

_APART = "what chooses the checkpoint must not have been trained on"


def check_names(recipe: Recipe) -> None:
    """Files are known by their names alone, in the adapter's record and in what is drawn.

    Raises:
        DataError: if two files of a recipe have one name.
    """
    train, dev = {entry.file for entry in recipe.train}, set(recipe.dev)
    if both := train & dev:
        raise DataError(f"{both.pop()} is a file of train and of dev: {_APART}")
    names = Counter(Path(path).name for path in train | dev)
    if twice := [name for name, count in names.items() if count > 1]:
        raise DataError(f"two files of train and dev are called {twice[0]}: rename one")


def file_digests(recipe: Recipe) -> dict[str, str]:
    """SHA-256 of every file of a recipe, by its name.

    Raises:
        DataError: if a file cannot be read, two have one name, one of train has the content of one
            of dev, or one is a bundled test suite.
    """
    check_names(recipe)
    train = {entry.file: _digest(entry.file) for entry in recipe.train}
    dev = {file: _digest(file) for file in recipe.dev}
    trained = {digest: file for file, digest in train.items()}
    for file, digest in dev.items():
        if digest in trained:
            raise DataError(f"{file} of dev is {trained[digest]} of train: {_APART}")
    tests = bundled_digests("test")
    for file, digest in (train | dev).items():
        if digest in tests:
            raise DataError(
                f"{file} is the bundled test suite {tests[digest]}: what is measured on it would "
                f"mean nothing"
            )
    return {Path(file).name: digest for file, digest in (train | dev).items()}


def _digest(file: str) -> str:
    try:
        return file_sha256(Path(file))
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error}") from error
