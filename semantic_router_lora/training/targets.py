"""Which layers of a base get an adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from semantic_router_lora.errors import DataError

if TYPE_CHECKING:
    from torch import nn

QUERY_VALUE = "query+value"
ALL_LINEAR = "all-linear"

# What the layers of attention are called: BERT and RoBERTa; DistilBERT; MPNet; Llama and its kin;
# and where one layer makes query, key and value together: ModernBERT, NomicBERT.
_QUERY_VALUE_NAMES = (
    ("query", "value"),
    ("q_lin", "v_lin"),
    ("q", "v"),
    ("q_proj", "v_proj"),
    ("Wqkv",),
    ("qkv_proj",),
)
# BERT's pooler is a linear layer called dense as well, and sentence vectors do not pass it.
POOLER = r"(.*\.)?pooler\..*"


def find_targets(base: nn.Module, asked: str | tuple[str, ...]) -> list[str]:
    """Names of the linear layers that get an adapter.

    Args:
        base: the encoder of the base model.
        asked: ``query+value``, ``all-linear``, or a list of names.

    Raises:
        DataError: if the base has no layer of a name, with the names that it has; or if its
            attention is built in a way that is not known.
    """
    names = _linear_names(base)
    if asked == ALL_LINEAR:
        return sorted(names)
    known = next((pair for pair in _QUERY_VALUE_NAMES if names.issuperset(pair)), None)
    if asked == QUERY_VALUE:
        if known is None:
            raise DataError(
                f"target_modules: which layers of a {_kind(base)} make query and value is not "
                f"known; name some of {', '.join(sorted(names))}"
            )
        return list(known)
    if isinstance(asked, str):
        raise DataError(
            f"target_modules is {asked!r}, expected {QUERY_VALUE}, {ALL_LINEAR} or a list of names"
        )
    if missing := [name for name in asked if name not in names]:
        hint = f"; {QUERY_VALUE} there is {', '.join(known)}" if known else ""
        raise DataError(
            f"target_modules: a {_kind(base)} has no linear layer {', '.join(missing)}{hint}; "
            f"it has {', '.join(sorted(names))}"
        )
    return list(asked)


def _linear_names(base: nn.Module) -> set[str]:
    from torch import nn

    return {
        name.rpartition(".")[2]
        for name, module in base.named_modules()
        if isinstance(module, nn.Linear) and not name.startswith("pooler.")
    }


def _kind(base: nn.Module) -> str:
    return type(base).__name__
