"""The adapter's tokenizer: the base's own, or one that gives every token the same number."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

from semantic_router_lora.adapters import layout
from semantic_router_lora.checking.outcome import Outcome, failed, passed, warned
from semantic_router_lora.checking.subject import Subject

if TYPE_CHECKING:
    from semantic_router_lora.base_models import BaseModel

# Set anew by whoever uses a tokenizer.
_REPLACED = ("truncation", "padding")
# What says how texts are taken apart, beside the tokens themselves.
_RULES = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
_LONGEST_RULE = 20_000
# Rows of the embedding that the base keeps free.
_FREE = re.compile(r"\[unused\d+\]|<unused\d+>|madeupword\d+")
_PROBES = ("What are the symptoms of diabetes?", "undo the last commit, please", "", "naïve € 7.5")


def check_tokenizer(subject: Subject) -> Outcome:
    """Equal to the base's; or sound, with no other number for any token of the base."""
    from semantic_router_lora.tokenization import load_tokenizer

    base = cast("BaseModel", subject.base_model)
    own = subject.documents[layout.TOKENIZER]
    tokenizer = load_tokenizer(
        base.folder, lower_case=False, max_length=None, positions=_positions(base)
    )
    theirs = json.loads(tokenizer.serialized())
    if problem := _unsafe_rules(own, theirs):
        return failed([f"{layout.TOKENIZER}: {problem}"])
    try:
        loaded, seen = _load(subject)
    except ValueError as error:
        return failed([f"{layout.TOKENIZER} does not load or does not run: {error}"])
    changed = [
        key
        for key in sorted(loaded.keys() | theirs.keys())
        if key not in _REPLACED and loaded.get(key) != theirs.get(key)
    ]
    if not changed:
        return passed("equal to the base's")
    problems, added = _compare_vocabularies(_vocabulary(loaded), _vocabulary(theirs))
    rows = _rows(base)
    highest = max([*seen, *_vocabulary(loaded).values()], default=0)
    if rows is not None and highest >= rows:
        problems.append(f"has a token of number {highest:,}, and the base embeds {rows:,}")
    if problems:
        return failed([f"{layout.TOKENIZER}: {problem}" for problem in problems])
    return warned(
        [f"it is not the base's: another {', '.join(changed)}; {added} tokens of its own"]
    )


def _unsafe_rules(own: dict[str, Any], theirs: dict[str, Any]) -> str | None:
    """Why rules that are not the base's must not be run, or None."""
    model = own.get("model")
    rules = {key: own.get(key) for key in _RULES if own.get(key) != theirs.get(key)}
    rules |= {"model": {"type": model.get("type")}} if isinstance(model, dict) else {}
    for key, rule in rules.items():
        text = json.dumps(rule)
        if len(text) > _LONGEST_RULE:
            return f"its {key} is not the base's, and has {len(text):,} characters"
        if '"Regex"' in text:
            return f"its {key} is not the base's, and matching its pattern could take for ever"
    return None


def _load(subject: Subject) -> tuple[dict[str, Any], list[int]]:
    """What the tokenizer holds, and the token numbers that it gives to some texts.

    Raises:
        ValueError: if it cannot be loaded or used.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(subject.path(layout.TOKENIZER)))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        seen = [number for text in _PROBES for number in tokenizer.encode(text).ids]
        return json.loads(tokenizer.to_str()), seen
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the library's Rust code is no Exception
        raise ValueError(str(error)[:200]) from error


def _vocabulary(document: dict[str, Any]) -> dict[str, int]:
    """Token → number, added tokens included."""
    found = document["model"].get("vocab", {})
    if isinstance(found, list):  # unigram: the place is the number
        found = {entry[0]: number for number, entry in enumerate(found)}
    return {**found, **{token["content"]: token["id"] for token in document["added_tokens"]}}


def _compare_vocabularies(own: dict[str, int], theirs: dict[str, int]) -> tuple[list[str], int]:
    """What is wrong, and how many tokens are new."""
    taken = {number for token, number in theirs.items() if not _FREE.fullmatch(token)}
    moved = [token for token, number in own.items() if theirs.get(token, number) != number]
    added = [token for token in own if token not in theirs]
    clashing = [token for token in added if own[token] in taken]
    problems = []
    if moved:
        token = moved[0]
        problems.append(
            f"{len(moved):,} tokens have another number than in the base, e.g. {token!r}: "
            f"{own[token]}, there {theirs[token]}"
        )
    if clashing:
        token = clashing[0]
        problems.append(
            f"{len(clashing):,} tokens have a number that is another token's in the base, e.g. "
            f"{token!r}: {own[token]}"
        )
    return problems, len(added)


def _rows(base: BaseModel) -> int | None:
    count = _config(base).get("vocab_size")
    return count if type(count) is int else None


def _positions(base: BaseModel) -> int:
    count = _config(base).get("max_position_embeddings")
    return count if type(count) is int else 512


def _config(base: BaseModel) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((base.folder / "config.json").read_text(encoding="utf-8"))
    return content
