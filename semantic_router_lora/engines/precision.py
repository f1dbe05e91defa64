"""Where a narrower floating-point type is faster."""

from __future__ import annotations

import functools
from pathlib import Path

_CPU_INFO = Path("/proc/cpuinfo")


@functools.lru_cache(maxsize=1)
def bfloat16_is_fast() -> bool:
    """Whether the CPU multiplies bfloat16 matrices in tiles of their own (AMX).

    The bfloat16 instructions of AVX-512 alone do not suffice: with them the packed engine was
    measured at 0.6 of its float32 speed. Decided by what the CPU says, not by timing: a machine
    that happened to be busy must not get other vectors.
    """
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return "amx_bf16" in flags.split()
