"""When a BERT tokenizer's file says all, so that transformers need not be imported to read it.

transformers builds BERT's tokenizer anew from the vocabulary and from the settings beside it,
which go before what tokenizer.json says. Here both are compared: if they agree, the file is the
tokenizer. Wherever they do not, or hold anything unusual, transformers is to decide.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = "tokenizer.json"
SETTINGS = "tokenizer_config.json"

_FLAGS = ("single_word", "lstrip", "rstrip", "normalized")
_ROLES = ("cls", "mask", "pad", "sep", "unk")
# Settings that have no part in turning one text into token numbers.
_INERT = frozenset(
    {
        "backend",
        "clean_up_tokenization_spaces",
        "do_basic_tokenize",
        "is_local",
        "local_files_only",
        "max_length",
        "model_max_length",
        "name_or_path",
        "pad_to_multiple_of",
        "pad_token_type_id",
        "padding_side",
        "special_tokens_map_file",
        "stride",
        "tokenizer_file",
        "truncation_strategy",
    }
)


def plain_bert_file(folder: Path) -> Path | None:
    """The tokenizer file of a model's folder, if it is all there is to know; else None."""
    try:
        is_bert = _read(folder, "config.json")["model_type"] == "bert"
        if not is_bert or (folder / "added_tokens.json").exists():
            return None
        tokenizer = _read(folder, FILE)
        vocabulary = tokenizer["model"].pop("vocab")
        names = _names(_read(folder, "special_tokens_map.json", optional=True))
        settings = names | _names(_read(folder, SETTINGS, optional=True))
        expected = _as_built(settings, vocabulary)
        # what is named in both places must have the same name
        agree = all(settings[role] == name for role, name in names.items())
        agree &= (tokenizer.get("truncation") or {}).get("direction") in ("Right", None)
        plain = agree and all(tokenizer[key] == value for key, value in expected.items())
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return folder / FILE if plain else None


def model_max_length(folder: Path) -> int | None:
    """Most tokens of a text by the tokenizer's settings; None if they do not say."""
    length = _read(folder, SETTINGS, optional=True).get("model_max_length")
    return int(length) if length else None


def _read(folder: Path, name: str, *, optional: bool = False) -> dict[str, Any]:
    if optional and not (folder / name).exists():
        return {}
    content = json.loads((folder / name).read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{name} holds no object")
    return content


def _names(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings with each special token by its name alone, where it has no flag set."""
    return {
        key: value["content"]
        if isinstance(value, dict) and "content" in value and not any(map(value.get, _FLAGS))
        else value
        for key, value in settings.items()
    }


def _as_built(settings: dict[str, Any], vocabulary: dict[str, int]) -> dict[str, Any]:
    """What transformers builds from settings, as a tokenizer file has it.

    Raises:
        ValueError: on settings that this function does not know.
    """
    left = {key: value for key, value in settings.items() if key not in _INERT}
    if left.pop("tokenizer_class", None) not in ("BertTokenizer", "BertTokenizerFast", None):
        raise ValueError("another class")
    if left.pop("truncation_side", None) not in ("right", None):
        raise ValueError("cuts texts elsewhere")
    names = {role: left.pop(f"{role}_token", f"[{role.upper()}]") for role in _ROLES}
    flags = dict.fromkeys(_FLAGS, False)
    special = {
        vocabulary[name]: {"content": name, **flags, "special": True} for name in names.values()
    }
    listed = left.pop("added_tokens_decoder", None)
    if listed not in (None, {str(number): token for number, token in special.items()}):
        raise ValueError("other added tokens")
    normalizer = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": left.pop("tokenize_chinese_chars", True),
        "strip_accents": left.pop("strip_accents", None),
        "lowercase": left.pop("do_lower_case", True),
    }
    if any(value not in (None, [], {}) for value in left.values()):
        raise ValueError(f"unknown settings {sorted(left)}")
    cls, sep = names["cls"], names["sep"]
    single = [_special(cls), _sequence("A"), _special(sep)]
    return {
        "added_tokens": [{"id": number, **special[number]} for number in sorted(special)],
        "normalizer": normalizer,
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": single,
            "pair": [*single, _sequence("B", 1), _special(sep, 1)],
            "special_tokens": {
                name: {"id": name, "ids": [vocabulary[name]], "tokens": [name]}
                for name in (cls, sep)
            },
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": names["unk"],
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
        },
    }


def _special(name: str, kind: int = 0) -> dict[str, Any]:
    return {"SpecialToken": {"id": name, "type_id": kind}}


def _sequence(name: str, kind: int = 0) -> dict[str, Any]:
    return {"Sequence": {"id": name, "type_id": kind}}
