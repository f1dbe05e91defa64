"""What a model is asked: prompts are data, one YAML file a domain."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from semantic_router_lora.data.triplets import TRAPS, check_unicode
from semantic_router_lora.errors import DataError

_GENERIC = "generic"


@dataclass(frozen=True)
class Example:
    """A query with the answer that is wanted for it."""

    query: str
    paraphrases: tuple[str, ...]
    negatives: dict[str, str | None]

    def answer(self) -> str:
        """The answer as a model should write it."""
        content = {"paraphrases": list(self.paraphrases), "negatives": self.negatives}
        return json.dumps(content, ensure_ascii=False)


@dataclass(frozen=True)
class Prompt:
    """The part of a request that is the same for every query.

    Attributes:
        domain: what the rows are labelled with.
        system: the task, in words.
        traps: what each of `TRAPS` means in this domain.
        examples: queries with the wanted answers.
    """

    domain: str
    system: str
    traps: dict[str, str]
    examples: tuple[Example, ...]

    def messages(self, paraphrases: int) -> list[dict[str, str]]:
        """The chat messages that come before the one with the query."""
        turns = [{"role": "system", "content": self._task(paraphrases)}]
        for example in self.examples:
            turns.append({"role": "user", "content": example.query})
            turns.append({"role": "assistant", "content": example.answer()})
        return turns

    def texts(self) -> list[str]:
        """All that the prompt says, for telling what a model copied from it."""
        texts = [self.system, *self.traps.values()]
        for example in self.examples:
            texts += [example.query, *example.paraphrases]
            texts += [text for text in example.negatives.values() if text]
        return texts

    def _task(self, paraphrases: int) -> str:
        kinds = "\n".join(f"- {trap}: {meaning}" for trap, meaning in self.traps.items())
        form = json.dumps({"paraphrases": ["..."], "negatives": dict.fromkeys(self.traps, "...")})
        return (
            f"{self.system.strip()}\n\nThe kinds of near miss:\n{kinds}\n\n"
            f"Answer with one JSON object and nothing else: {form}\n"
            f"Write {paraphrases} paraphrases. Where a kind does not fit the query, write null."
        )


def answer_schema(paraphrases: int) -> dict[str, Any]:
    """The JSON schema of an answer, in the subset that structured output of servers takes."""
    near_miss = {"type": ["string", "null"]}
    return {
        "type": "object",
        "properties": {
            "paraphrases": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": paraphrases,
                "maxItems": paraphrases,
            },
            "negatives": {
                "type": "object",
                "properties": dict.fromkeys(TRAPS, near_miss),
                "required": list(TRAPS),
                "additionalProperties": False,
            },
        },
        "required": ["paraphrases", "negatives"],
        "additionalProperties": False,
    }


def load_prompt(domain: str, path: Path | None = None) -> Prompt:
    """The prompt of a domain: the given file, the bundled one, or the generic one with its name.

    Raises:
        DataError: if the file is missing, no YAML, or not of the form that docs/generating.md
            describes; the message names what is wrong.
    """
    import yaml

    if path is None:
        folder = Path(str(files("semantic_router_lora.generation") / "prompts"))
        name = domain.lower()
        path = folder / f"{name}.yaml"
        if not name.isidentifier() or not path.is_file():
            path = folder / f"{_GENERIC}.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"prompt {path}: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise DataError(f"prompt {path}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"prompt {path}: expected a mapping, got {type(content).__name__}")
    expected = {"domain", "system", "traps", "examples"}
    if set(content) != expected:
        raise DataError(
            f"prompt {path}: has the keys {', '.join(map(repr, content))}; "
            f"expected {', '.join(sorted(expected))}"
        )
    system = _text(content["system"], f"prompt {path}: system")
    return Prompt(
        domain=domain,
        system=system.replace("{domain}", domain),
        traps=_traps(content["traps"], f"prompt {path}: traps"),
        examples=_examples(content["examples"], f"prompt {path}: examples"),
    )


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{where}: {value!r}, expected a text")
    check_unicode(value, where)
    return value


def _traps(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, dict) or set(value) != set(TRAPS):
        raise DataError(f"{where}: expected a text for each of {', '.join(TRAPS)}")
    return {trap: _text(value[trap], f"{where}.{trap}") for trap in TRAPS}


def _examples(value: Any, where: str) -> tuple[Example, ...]:
    if not isinstance(value, list):
        raise DataError(f"{where}: expected a list, got {type(value).__name__}")
    return tuple(_example(row, f"{where}[{number}]") for number, row in enumerate(value))


def _example(row: Any, where: str) -> Example:
    if not isinstance(row, dict) or set(row) != {"query", "paraphrases", "negatives"}:
        raise DataError(f"{where}: expected query, paraphrases and negatives")
    paraphrases: Sequence[Any] = row["paraphrases"]
    negatives = row["negatives"]
    if not isinstance(paraphrases, list) or not paraphrases:
        raise DataError(f"{where}: paraphrases are {paraphrases!r}, expected a list of texts")
    if not isinstance(negatives, dict) or set(negatives) != set(TRAPS):
        raise DataError(f"{where}: negatives need a text or null for each of {', '.join(TRAPS)}")
    return Example(
        query=_text(row["query"], f"{where}.query"),
        paraphrases=tuple(_text(text, f"{where}.paraphrases") for text in paraphrases),
        negatives={
            trap: None if negatives[trap] is None else _text(negatives[trap], f"{where}.{trap}")
            for trap in TRAPS
        },
    )
