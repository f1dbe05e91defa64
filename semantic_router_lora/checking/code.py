"""Nothing in the configuration makes other programs run code or read other files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from semantic_router_lora.adapters import layout
from semantic_router_lora.checking.outcome import Outcome, failed, passed, verdict, warned
from semantic_router_lora.checking.subject import Subject
from semantic_router_lora.reference import parse_hub_id

# By which transformers, diffusers and peft are told to fetch or to import code.
_CODE_KEYS = frozenset(
    {
        "auto_map",
        "code_revision",
        "custom_code",
        "custom_generate",
        "custom_pipelines",
        "remote_code",
        "trust_remote_code",
    }
)
# Modules that peft may be told to import: its AutoPeftModel takes them from the configuration.
_IMPORTED = re.compile(r"(?:transformers|sentence_transformers)(?:\.\w+)*")
_MEGATRON = "megatron.core"

# Regular expressions: they may begin with or hold what looks like a path.
_PATTERNS = frozenset(
    {
        "alpha_pattern",
        "exclude_modules",
        "layers_pattern",
        "modules_to_save",
        "rank_pattern",
        "target_modules",
    }
)
_ABSOLUTE = re.compile(r"(?:/|\\\\|~|[A-Za-z]:[\\/]|[A-Za-z][A-Za-z0-9+.-]*://|file:)")
_UPWARDS = re.compile(r"(?:^|[\\/@])\.\.(?:[\\/]|$)")
_REVISION = re.compile(r"[\w-][\w.-]{0,99}")
# Of a tokenizer's settings: remnants of where its author had it, which nothing reads.
_REMNANTS = frozenset({"name_or_path", "special_tokens_map_file", "tokenizer_file"})


def check_code(subject: Subject) -> Outcome:
    """No JSON file asks for code to be fetched, imported or trusted."""
    problems = []
    for name, document in subject.documents.items():
        if name == layout.TOKENIZER:  # a vocabulary may hold any word as a key
            document = {key: value for key, value in document.items() if key != "model"}
        problems += [
            f"{name}: {key} = {str(value)[:80]!r} asks for code"
            for key, value in _items(document)
            if key in _CODE_KEYS and value not in (None, False)
        ]
    config = subject.documents.get(layout.CONFIG, {})
    mapping = config.get("auto_mapping") or {}
    library = mapping.get("parent_library") if isinstance(mapping, dict) else mapping
    if library is not None and not _IMPORTED.fullmatch(str(library)):
        problems.append(
            f"{layout.CONFIG}: auto_mapping would have peft import {str(library)[:80]!r}"
        )
    megatron = config.get("megatron_core")
    if megatron not in (None, _MEGATRON):
        problems.append(
            f"{layout.CONFIG}: megatron_core would have peft import {str(megatron)[:80]!r}"
        )
    return verdict(problems, "no file asks for code")


def check_paths(subject: Subject) -> Outcome:
    """No configuration leads to files outside: neither upwards nor to a place on some machine."""
    problems: list[str] = []
    remarks: list[str] = []
    config = subject.documents.get(layout.CONFIG, {})
    for key, value in _items({k: v for k, v in config.items() if k not in _PATTERNS}):
        if isinstance(value, str) and (what := path_problem(value)):
            problems.append(f"{layout.CONFIG}: {key} = {value[:80]!r} {what}")
    hub_id = parse_hub_id(str(config.get("base_model_name_or_path")))
    for revision in (config.get("revision"), hub_id and hub_id.revision):
        if revision is not None and not (isinstance(revision, str) and _is_revision(revision)):
            problems.append(
                f"{layout.CONFIG}: revision = {str(revision)[:80]!r} is no branch, tag or commit"
            )
    for key, value in _items(subject.documents.get(layout.TOKENIZER_CONFIG, {})):
        if not isinstance(value, str) or not key.endswith(("_file", "_path", "_dir")):
            continue
        if what := path_problem(value):
            line = f"{layout.TOKENIZER_CONFIG}: {key} = {value[:80]!r} {what}"
            (remarks if key in _REMNANTS and "out of" not in what else problems).append(line)
    if problems:
        return failed(problems)
    return warned(remarks) if remarks else passed("no path leads out of the folder")


def path_problem(value: str) -> str | None:
    """Why a text must not be taken for the name of a file or a model, or None."""
    if _UPWARDS.search(value):
        return "leads out of the folder"
    if _ABSOLUTE.match(value):
        return "is a place on some machine"
    return None


def _is_revision(text: str) -> bool:
    return bool(_REVISION.fullmatch(text)) and ".." not in text


def _items(document: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, however deep; items of a list under the list's key."""
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(key, item) for item in value]
        if key:
            yield key, value
