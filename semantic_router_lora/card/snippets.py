"""The names and lines that the code of a card is filled with."""

from __future__ import annotations

import json
import re
import shlex

from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.card.facts import Facts
from semantic_router_lora.card.running import BaseSettings
from semantic_router_lora.card.stated import is_hub_id

_PATH = re.compile(r"\./[\w.+@ -]*\w\Z")
_POOLED = {
    "mean": "pooled = (hidden * mask).sum(dim=1) / mask.sum(dim=1)",
    "cls": "pooled = hidden[:, 0]",
    "max": "pooled = hidden.masked_fill(mask == 0, float('-inf')).amax(dim=1)",
}


def is_reference(reference: str) -> bool:
    """Whether code of a card can name the adapter so: bundled, on the Hub, or ``./folder``."""
    return is_bundled(reference) or is_hub_id(reference) or bool(_PATH.match(reference))


def is_bundled(reference: str) -> bool:
    """Whether the package ships an adapter of this name."""
    from semantic_router_lora.adapters.resolve import bundled_adapters

    return reference in bundled_adapters()


def code_values(reference: str, facts: Facts, settings: BaseSettings) -> dict[str, str]:
    """What the placeholders of the template's code stand for."""
    base = [quoted(facts.base.name)]
    if facts.base.revision is not None:
        base.append(f"revision={quoted(facts.base.revision)}")
    length = settings.max_seq_length
    return {
        "adapter": quoted(reference),
        "import_files": "from importlib.resources import files\n\n"
        if is_bundled(reference)
        else "",
        "adapter_folder": _folder(reference),
        "base": ", ".join(base),
        "tokenizer": "adapter" if facts.has_tokenizer else ", ".join(base),
        "lower_case": "texts = [text.lower() for text in texts]\n" if settings.lower_case else "",
        "max_length": f"max_length={length}, " if length is not None else "",
        "pooled": _POOLED[settings.pooling],
        "pooling": settings.pooling,
    }


def encoder_options(reference: str, facts: Facts) -> str:
    """The options by which commands name the adapter, and its base if it is not the default."""
    options = ["--adapter", reference]
    if facts.base.name != DEFAULT_BASE:
        revision = f"@{facts.base.revision}" if facts.base.revision else ""
        options += ["--base", facts.base.name + revision]
    return shlex.join(options)


def quoted(text: str) -> str:
    """A text as Python writes it, in double quotes."""
    return json.dumps(text)


def where(reference: str) -> str:
    """Where the code finds the adapter, as a sentence."""
    if is_bundled(reference):
        return "The adapter comes with the package `semantic-router-lora`."
    if is_hub_id(reference):
        return f"The adapter is `{reference}` on the Hugging Face Hub."
    name = reference.removeprefix("./").replace("`", "")
    return f"Run the code beside the folder `{name}`, or name its path."


def _folder(reference: str) -> str:
    if is_bundled(reference):
        return f'str(files("semantic_router_lora") / "adapters" / "bundled" / {quoted(reference)})'
    return quoted(reference)
