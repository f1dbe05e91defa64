"""Whether a graph takes weights from files that it should not."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

# Fields of the messages ModelProto, GraphProto and TensorProto in onnx.proto.
_GRAPH, _INITIALIZER, _RAW_DATA, _EXTERNAL_DATA = 7, 5, 9, 13
# Under this key, a tensor names the file that holds it.
_KEY = b"location"


def names_other_files(path: Path, weights: str) -> bool:
    """Whether anything in a graph but the bytes of weights holds the key of another file's name.

    Args:
        path: of the graph.
        weights: name of the file that initializers may name, of at most 127 bytes.

    Raises:
        ValueError: if the file is no protobuf message.
    """
    name = weights.encode()
    allowed = b"\n" + bytes([len(_KEY)]) + _KEY + b"\x12" + bytes([len(name)]) + name
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return any(content.find(_KEY, *part) >= 0 for part in _suspects(content, allowed))


def _suspects(content: mmap.mmap, allowed: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of all but initializers' own bytes and what names the one file."""
    for number, start, end in _fields(content, 0, len(content)):
        if number != _GRAPH:
            yield start, end
            continue
        for inner, first, last in _fields(content, start, end):
            if inner != _INITIALIZER:
                yield first, last
                continue
            for part, begin, stop in _fields(content, first, last):
                named = part == _EXTERNAL_DATA and content[begin:stop] == allowed
                if part != _RAW_DATA and not named:
                    yield begin, stop


def _fields(content: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of each field of a protobuf message."""
    position = start
    while position < end:
        key, position = _varint(content, position, end)
        kind = key & 7
        if kind == 2:
            size, position = _varint(content, position, end)
        elif kind == 0:
            size = _varint(content, position, end)[1] - position
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"byte {position} starts no field")
        if size > end - position:
            raise ValueError(f"the field at byte {position} is cut short")
        yield key >> 3, position, position + size
        position += size


def _varint(content: mmap.mmap, position: int, end: int) -> tuple[int, int]:
    """A number of variable length, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            raise ValueError("the file is cut short")
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError(f"a number before byte {position} has no end")
