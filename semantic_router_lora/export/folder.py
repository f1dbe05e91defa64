"""An exported folder: what lies in it, and reading it with distrust.

It holds a graph (model.onnx), one for single texts (single.onnx), the weights of both
(weights.bin), a tokenizer (tokenizer.json), and export.json, which says what they are and what
they must hash to. Nothing here imports PyTorch or transformers.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from semantic_router_lora.base_models import BaseModel, file_sha256
from semantic_router_lora.base_settings import POOLING_MODES
from semantic_router_lora.engines.onnx import OnnxEngine
from semantic_router_lora.engines.watched import WatchedFile
from semantic_router_lora.errors import BaseModelError
from semantic_router_lora.export.external import names_other_files
from semantic_router_lora.reference import checked_folder_name, existing_folder
from semantic_router_lora.tokenization import TextTokenizer, load_tokenizer

GRAPH = "model.onnx"
SINGLE = "single.onnx"
WEIGHTS = "weights.bin"
TOKENIZER = "tokenizer.json"
INFO = "export.json"
FORMAT = "semantic-router-lora onnx"
FORMAT_VERSION = 2
DTYPES = ("float32", "int8")

_MAX_INFO_BYTES = 1_000_000
_CHECKSUM = "checksum"


@dataclass(frozen=True)
class ExportInfo:
    """What export.json says.

    Attributes:
        reference: of the embedder that was exported.
        fingerprint: of this folder's vectors. In float32 it is that of the embedder, because they
            agree to 1e-5; in int8 it is one of its own.
        pooling: ``cls``, ``max`` or ``mean``.
        max_length: tokens kept of a text, special tokens included.
        lower_case: whether texts are lower-cased before the tokenizer sees them.
        dim: length of a vector.
        dtype: ``float32`` or ``int8``.
        graph_sha256: of model.onnx, in hexadecimal.
        single_sha256: of single.onnx.
        weights_sha256: of weights.bin.
        tokenizer_sha256: of tokenizer.json.
        package_version: of this package, when it wrote the folder.
        int8_loss: what quantisation was measured to cost; empty in float32.
    """

    reference: str
    fingerprint: str
    pooling: str
    max_length: int
    lower_case: bool
    dim: int
    dtype: str
    graph_sha256: str
    single_sha256: str
    weights_sha256: str
    tokenizer_sha256: str
    package_version: str
    int8_loss: dict[str, Any] = field(default_factory=dict)
    format: str = FORMAT
    format_version: int = FORMAT_VERSION

    def write(self, folder: Path) -> None:
        """Write export.json, with a checksum of itself."""
        content = asdict(self)
        content[_CHECKSUM] = _checksum(content)
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        (folder / INFO).write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class ExportedModel:
    """An exported folder whose files are what export.json says.

    Attributes:
        name: the folder's absolute path, as it stands in a reference.
        folder: where its files lie.
        info: what export.json says.
    """

    name: str
    folder: Path
    info: ExportInfo

    @property
    def base(self) -> BaseModel:
        """The folder in the place of a base model: by its name, it is found again."""
        info = self.info
        return BaseModel(self.name, self.folder, info.pooling, info.max_length, info.lower_case)

    def load(self) -> tuple[TextTokenizer, OnnxEngine]:
        """The folder's tokenizer and its engine.

        Raises:
            BaseModelError: if one of the files is missing, changed or unusable.
            MissingExtraError: without onnxruntime.
        """
        info = self.info
        digests = {
            GRAPH: info.graph_sha256,
            SINGLE: info.single_sha256,
            WEIGHTS: info.weights_sha256,
            TOKENIZER: info.tokenizer_sha256,
        }
        # opened before they are checked, so that nothing else is loaded than what was checked
        files = {name: self._checked(self.folder / name, digests[name]) for name in digests}
        for name in (GRAPH, SINGLE):
            self._check_weights_of(self.folder / name)
        tokenizer = load_tokenizer(
            self.folder / TOKENIZER,
            lower_case=info.lower_case,
            max_length=info.max_length,
            positions=info.max_length,
        )
        engine = OnnxEngine(
            files[GRAPH],
            files[SINGLE],
            files[WEIGHTS],
            dim=info.dim,
            one_by_one=info.dtype == "int8",
        )
        return tokenizer, engine

    def _check_weights_of(self, graph: Path) -> None:
        try:
            complete = not names_other_files(graph, WEIGHTS)
        except ValueError as error:
            raise BaseModelError(f"{graph} is no ONNX graph: {error}") from error
        if not complete:
            raise BaseModelError(
                f"exported folder {self.name}: {graph.name} takes weights from other files than "
                f"{WEIGHTS}"
            )

    def _checked(self, path: Path, digest: str) -> WatchedFile:
        if not path.is_file():
            raise BaseModelError(f"exported folder {self.name} has no {path.name}")
        try:
            file = WatchedFile(path)
        except OSError as error:
            raise BaseModelError(f"{path} cannot be read: {error.strerror}") from error
        found = file_sha256(path)
        if found != digest:
            raise BaseModelError(
                f"exported folder {self.name}: {path.name} ({path.stat().st_size} bytes) is not "
                f"the file that was exported: SHA-256 {found}, expected {digest}"
            )
        return file


def is_exported(reference: str | None) -> bool:
    """Whether a reference is the path of an exported folder."""
    folder = existing_folder(reference) if isinstance(reference, str) else None
    return folder is not None and (folder / INFO).is_file()


def read_exported(reference: str) -> ExportedModel:
    """Read export.json of an exported folder; `ExportedModel.load` reads the rest.

    Raises:
        BaseModelError: if it is missing, corrupt, changed by hand, or of a later format.
        ModelReferenceError: if the folder's path cannot stand in a reference.
    """
    folder = existing_folder(reference)
    if folder is None:
        raise BaseModelError(f"{reference} is no folder")
    name = checked_folder_name(folder, "exported folder")
    path = folder / INFO
    try:
        if path.stat().st_size > _MAX_INFO_BYTES:
            raise ValueError("it is larger than a megabyte")
        return ExportedModel(name, folder, _parsed(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, RecursionError) as error:
        raise BaseModelError(f"{path} does not describe an exported model: {error}") from error


def _parsed(content: Any) -> ExportInfo:
    """The description that a JSON value holds; ValueError if it holds none."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT!r}")
    version = content.get("format_version")
    if version != FORMAT_VERSION:
        raise ValueError(
            f"it is of format version {version!r}, this release reads {FORMAT_VERSION}; "
            f"update semantic-router-lora, or export again"
        )
    checksum = content.pop(_CHECKSUM, None)
    if checksum != _checksum(content):
        raise ValueError("it was changed after the export: export again")
    types = {"str": str, "int": int, "bool": bool, "dict[str, Any]": dict}
    for entry in fields(ExportInfo):
        value = content.get(entry.name)
        if type(value) is not types[str(entry.type)]:
            raise ValueError(f"{entry.name} is {value!r}")
    if content["pooling"] not in POOLING_MODES or content["dtype"] not in DTYPES:
        raise ValueError(f"pooling is {content['pooling']!r}, dtype {content['dtype']!r}")
    if content["max_length"] < 1 or content["dim"] < 1:
        raise ValueError(f"max_length is {content['max_length']}, dim {content['dim']}")
    unknown = sorted(content.keys() - {entry.name for entry in fields(ExportInfo)})
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r}")
    return ExportInfo(**content)


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
