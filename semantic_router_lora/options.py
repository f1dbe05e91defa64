"""What an embedder may be asked for."""

from __future__ import annotations

from typing import Literal

from semantic_router_lora.building import ENGINES
from semantic_router_lora.errors import InputError
from semantic_router_lora.export.folder import ExportedModel

DType = Literal["auto", "float32", "bfloat16", "float16"]
DTYPES: tuple[DType, ...] = ("auto", "float32", "bfloat16", "float16")


def check_options(
    dtype: str,
    engine: str,
    *,
    threads: int | None,
    max_batch_tokens: int | None,
    cache_size: int,
) -> None:
    """Refuse options that are out of range.

    Raises:
        InputError: naming the option, and what was expected.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype is {dtype!r}, expected one of {', '.join(DTYPES)}")
    if engine not in ENGINES:
        raise InputError(f"engine is {engine!r}, expected one of {', '.join(ENGINES)}")
    for name, count in (("threads", threads), ("max_batch_tokens", max_batch_tokens)):
        if count is not None and (type(count) is not int or count < 1):
            raise InputError(f"{name} is {count!r}, expected an integer of at least 1")
    if type(cache_size) is not int or cache_size < 0:
        raise InputError(f"cache_size is {cache_size!r}, expected an integer of at least 0")


def check_exported(
    exported: ExportedModel, adapter: str | None, device: str, dtype: str, engine: str
) -> None:
    """Refuse options that an exported folder would not follow.

    Raises:
        InputError: naming the option.
    """
    if adapter is not None:
        raise InputError(
            f"{exported.name} is an exported folder, whose adapter is merged: leave adapter="
            f"{adapter!r} out, or export it"
        )
    for name, value, possible in (
        ("device", device or "auto", ("auto", "cpu")),
        ("dtype", dtype, ("auto", "float32")),
        ("engine", engine, ("auto", "onnx")),
    ):
        if value not in possible:
            raise InputError(
                f"{name} is {value!r}, but {exported.name} is an exported folder of type "
                f"{exported.info.dtype}, which runs on the CPU by engine 'onnx'"
            )
