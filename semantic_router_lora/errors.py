"""Every exception that this package raises on purpose.

SemanticRouterLoraError
├── InputError            what was passed to a call: texts, options            (also ValueError)
├── DataError             a triplet file: says file and line                   (also ValueError)
├── ModelReferenceError   a reference that names no model                      (also ValueError)
├── BaseModelError        a base model that is missing, incomplete, unsupported
├── AdapterError          an adapter folder
│   ├── AdapterFormatError    corrupt, incomplete, unsafe or of an unsupported kind
│   └── AdapterMismatchError  sound, but not made for this base, or without effect
├── EndpointError         a server that is gone or refuses: of a language model, or the Hub
├── RegistrationError     semantic-router's internals are not as known
└── MissingExtraError     an optional dependency is not installed              (also ImportError)
"""

from __future__ import annotations

import importlib
from types import ModuleType


class SemanticRouterLoraError(Exception):
    """Base class of every error of this package."""


class InputError(SemanticRouterLoraError, ValueError):
    """An argument has the wrong type or value."""


class DataError(SemanticRouterLoraError, ValueError):
    """A data file cannot be used; the message names file and line."""


class ModelReferenceError(SemanticRouterLoraError, ValueError):
    """A reference does not name a model that can be found."""


class BaseModelError(SemanticRouterLoraError):
    """A base model is missing, incomplete or of an unsupported kind."""


class AdapterError(SemanticRouterLoraError):
    """An adapter cannot be used."""


class AdapterFormatError(AdapterError):
    """An adapter folder is corrupt, incomplete, unsafe or of an unsupported kind."""


class AdapterMismatchError(AdapterError):
    """An adapter does not belong to the base model, or changes nothing in it."""


class EndpointError(SemanticRouterLoraError):
    """A server is gone, or refuses: of a language model (the job can be resumed), or the Hub."""


class RegistrationError(SemanticRouterLoraError):
    """The installed semantic-router cannot be taught to save and load the encoder."""


class MissingExtraError(SemanticRouterLoraError, ImportError):
    """An optional dependency is missing; the message holds the command that installs it."""


def require(module: str, extra: str) -> ModuleType:
    """Import an optional dependency.

    Raises:
        MissingExtraError: if it is not installed, with the pip command of its extra.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtraError(
            f"{module} is not installed; "
            f"install it with: pip install 'semantic-router-lora[{extra}]'"
        ) from error
