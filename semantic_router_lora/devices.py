"""The device that a model runs on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from semantic_router_lora.errors import InputError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class HostCpu:
    """What `torch.device("cpu")` says of itself, without PyTorch."""

    type: str = "cpu"

    def __str__(self) -> str:
        return self.type


def torch_device(device: str) -> torch.device:
    """``auto`` (cuda, else mps, else cpu) or the device of that name.

    Raises:
        InputError: if it cannot be used here.
    """
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            device = "cuda"
        else:
            device = "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(f"device {device!r} cannot be used: {error}") from error
    return chosen
