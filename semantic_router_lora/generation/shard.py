"""The part of a job that one of several workers does."""

from __future__ import annotations

from dataclasses import dataclass

from semantic_router_lora.errors import InputError


@dataclass(frozen=True)
class Shard:
    """The part of a file that one of several workers does; which part, a text itself decides."""

    index: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``2/8``: the second of eight.

        Raises:
            InputError: if it is none.
        """
        index, slash, count = text.partition("/")
        if not (slash and index.isdecimal() and count.isdecimal()):
            raise InputError(f"shard is {text!r}, expected I/N such as 1/4")
        shard = cls(int(index), int(count))
        if not 1 <= shard.index <= shard.count:
            raise InputError(f"shard is {text!r}, expected 1/N to N/N")
        return shard

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"
