"""What the processor is fast at.

Decided by what it says of itself, not by timing: a machine that happened to be busy must not get
other vectors.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

_CPU_INFO = Path("/proc/cpuinfo")
_OPERATOR = "_linear_pointwise"  # of PyTorch's, by which `linear.OneDnn` multiplies
# What matters for products of matrices, of what Linux calls flags.
_INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


class _Processor(NamedTuple):
    name: str
    vendor: str
    flags: frozenset[str]


@functools.lru_cache(maxsize=1)
def _processor() -> _Processor:
    """Of the first processor; nothing is known of it where there is no /proc."""
    found: dict[str, str] = {}
    try:
        for line in _CPU_INFO.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            found.setdefault(name.strip(), value.strip())
    except OSError:
        pass
    name = found.get("model name", "")
    if "cpu family" in found:
        name += f", family {found['cpu family']} model {found.get('model', '?')}"
    return _Processor(name, found.get("vendor_id", ""), frozenset(found.get("flags", "").split()))


def processor_name() -> str:
    """What it is called, and which of the instructions it has that matter; "" if unknown."""
    name, _, flags = _processor()
    return " ".join([name, *(flag for flag in _INSTRUCTIONS if flag in flags)])


def bfloat16_is_fast() -> bool:
    """Whether products of bfloat16 matrices are faster than those of float32.

    They are in tiles of their own (AMX), and with the bfloat16 instructions that AMD adds to
    AVX-512. Intel's instructions of that name do not suffice without tiles: there, products were
    measured at half the rate of float32's.
    """
    _, vendor, flags = _processor()
    return "amx_bf16" in flags or (vendor == "AuthenticAMD" and "avx512_bf16" in flags)


def onednn_is_faster(dtype: str) -> bool:
    """Whether oneDNN multiplies matrices of a type faster than MKL, PyTorch's own way on x86.

    In float32 where MKL does not use AVX-512, which it does on Intel's processors alone: oneDNN
    was measured at more than twice its rate there.
    """
    import torch

    is_built_in = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not (is_built_in and hasattr(torch.ops.mkldnn, _OPERATOR)):
        return False
    if dtype == "bfloat16":
        return bfloat16_is_fast()
    _, vendor, flags = _processor()
    return dtype == "float32" and vendor == "AuthenticAMD" and "avx512f" in flags
