"""The safetensors file as far as its header tells, before anything is made of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.settings import MAX_RANK
from semantic_router_lora.checking.documents import parse_json
from semantic_router_lora.checking.outcome import Outcome, failed, verdict
from semantic_router_lora.checking.subject import Subject

_MAX_HEADER = 4_000_000
_MOST_TENSORS = 10_000
_LONGEST_NAME = 500
_LARGEST = 1 << 62
_BYTES = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8}
_FOREIGN = {
    b"\x80": "a pickle, which can run code when it is read",
    b"PK": "a zip file, as torch.save writes pickles",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"version https://git-lfs": "a pointer of Git LFS: fetch the file itself",
}


def check_safetensors(subject: Subject) -> Outcome:
    """The weights are a whole safetensors file of tensors that lie side by side."""
    try:
        tensors = _read_header(subject.path(layout.WEIGHTS))
    except ValueError as error:
        return failed([f"{layout.WEIGHTS}: {error}"])
    problems = [problem for key, tensor in tensors.items() if (problem := _odd(key, tensor))]
    count = sum(math.prod(tensor["shape"]) for tensor in tensors.values())
    return verdict(problems, f"{len(tensors)} tensors of {count:,} numbers")


def _read_header(path: Path) -> dict[str, Any]:
    """The tensors that the header lists.

    Raises:
        ValueError: if it is none, or does not describe the file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(32)
        length = int.from_bytes(start[:8], "little")
        if size < 8 or length > size - 8:
            kind = next((k for magic, k in _FOREIGN.items() if start.startswith(magic)), None)
            if kind:
                raise ValueError(f"is {kind}")
            raise ValueError(f"its header claims {length:,} bytes, and the file has {size:,}")
        if length > _MAX_HEADER:
            raise ValueError(f"its header has {length:,} bytes, at most {_MAX_HEADER:,} are read")
        file.seek(8)
        try:
            header = parse_json(file.read(length))
        except ValueError as error:
            raise ValueError(f"its header is not sound: {error}") from error
    if not isinstance(header, dict):
        raise ValueError("its header holds no object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError("its metadata are not texts")
    if not 0 < len(header) <= _MOST_TENSORS:
        raise ValueError(f"it holds {len(header):,} tensors, expected 1 to {_MOST_TENSORS:,}")
    _check_layout(header, size - 8 - length)
    return header


def _check_layout(header: dict[str, Any], size: int) -> None:
    """Each tensor follows on the one before, and the last one ends the file."""
    spans = []
    for key, tensor in header.items():
        try:
            width, shape, (start, end) = (
                _BYTES[tensor["dtype"]],
                tensor["shape"],
                tensor["data_offsets"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{key[:80]!r} has no floating-point dtype, shape and data_offsets"
            ) from error
        numbers = [start, end, *shape[:2]] if isinstance(shape, list) else [None]
        whole = all(type(number) is int and 0 <= number < _LARGEST for number in numbers)
        if not whole or len(shape) > 2:
            raise ValueError(f"{key[:80]!r} has an impossible shape or place")
        if end > size:
            raise ValueError(
                f"{key[:80]!r} ends at byte {end:,} of {size:,}: the file is cut short"
            )
        if end - start != width * math.prod(shape):
            raise ValueError(f"{key[:80]!r} takes {end - start:,} bytes, not what its shape needs")
        spans.append((start, end))
    expected = 0
    for start, end in sorted(spans):
        if start != expected:
            raise ValueError(f"its tensors overlap or leave gaps at byte {expected:,}")
        expected = end
    if expected != size:
        raise ValueError(f"its tensors end at byte {expected:,} of {size:,}: the rest is no tensor")


def _odd(key: str, tensor: dict[str, Any]) -> str | None:
    shape = tensor["shape"]
    if len(key) > _LONGEST_NAME or not key.isprintable():
        return f"a tensor is called {key[:80]!r}"
    if not shape or 0 in shape:
        return f"{key} has shape {shape}"
    rank = shape[0] if ".lora_A." in key else shape[-1] if ".lora_B." in key else 0
    return (
        f"{key} is of rank {rank:,}, at most {MAX_RANK:,} is accepted" if rank > MAX_RANK else None
    )
