"""Exporting an embedder: build, write, load what was written, compare, and only then keep it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semantic_router_lora import __version__
from semantic_router_lora.adapters.direct_merge import merge_directly
from semantic_router_lora.adapters.read import Adapter, read_adapter
from semantic_router_lora.adapters.resolve import bundled_adapters, resolve_adapter
from semantic_router_lora.base_models import BaseModel, file_sha256, resolve_base
from semantic_router_lora.building import tokenizer_for
from semantic_router_lora.embedder import Embedder
from semantic_router_lora.engines.bert import BertConfig, read_bert_config
from semantic_router_lora.errors import BaseModelError, InputError, require
from semantic_router_lora.export.folder import (
    GRAPH,
    INFO,
    SINGLE,
    TOKENIZER,
    WEIGHTS,
    ExportInfo,
    is_exported,
    read_exported,
)
from semantic_router_lora.export.graph import bert_graph
from semantic_router_lora.export.int8 import int8_loss, quantized
from semantic_router_lora.export.output import check_parent, folder_beside
from semantic_router_lora.export.proof import PROBES, TOLERANCE, largest_difference
from semantic_router_lora.export.saving import save_graphs
from semantic_router_lora.reference import ModelReference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from semantic_router_lora.engines.bert_weights import BertWeights


def export_onnx(
    reference: str, output: Path, *, int8: bool = False, overwrite: bool = False
) -> ExportInfo:
    """Write an embedder to a folder that `Embedder` loads without PyTorch.

    Args:
        reference: ``<base>+lora:<adapter>``, ``<base>``, or the name of a bundled adapter.
        output: the folder; it appears when it is complete and its vectors were compared.
        int8: quantise it, and measure on the bundled dev suites what that costs.
        overwrite: replace a folder that was exported earlier.

    Returns:
        What export.json says.

    Raises:
        InputError: if the output is there already, or the model cannot be exported.
        BaseModelError: if the graph's vectors are not those of the embedder.
        MissingExtraError: without onnx or onnxruntime.
        ModelReferenceError, AdapterError: as `Embedder` does.
    """
    for module in ("onnx", "onnxruntime"):
        require(module, "onnx")
    _check_output(output, overwrite)
    if is_exported(reference):
        raise InputError(f"{reference} is an exported folder itself; export what it was made from")
    source = _packed(reference)
    base, adapter, config = _parts(source)
    weights = _merged(base, adapter, config)
    tokenizer = tokenizer_for(base, adapter, config.max_position_embeddings, config.vocab_size)
    with folder_beside(output) as folder:
        graphs = {
            folder / name: bert_graph(weights, pooling=base.pooling, single=name == SINGLE)
            for name in (GRAPH, SINGLE)
        }
        save_graphs(graphs, folder / WEIGHTS)
        del weights, graphs
        (folder / TOKENIZER).write_text(tokenizer.serialized(), encoding="utf-8")
        info = ExportInfo(
            reference=source.reference,
            fingerprint=source.fingerprint,
            pooling=base.pooling,
            max_length=tokenizer.max_length,
            lower_case=base.lower_case,
            dim=source.dim,
            dtype="float32",
            **_digests(folder),
            tokenizer_sha256=file_sha256(folder / TOKENIZER),
            package_version=__version__,
        )
        info.write(folder)
        exact = Embedder(str(folder))
        _compare(source, exact, folder)
        if int8:
            info = _quantized(folder, exact, info)
        _move(folder, output)
    return info


def _check_output(output: Path, overwrite: bool) -> None:
    """Refuse a folder that cannot be written, before the work that fills it."""
    check_parent(output)
    if not output.exists():
        return
    if not overwrite:
        raise InputError(f"output {output} exists; --overwrite replaces an exported folder")
    if not (output / INFO).is_file():
        raise InputError(f"output {output} exists and is no exported folder: not replaced")


def _packed(reference: str) -> Embedder:
    try:
        if reference in bundled_adapters():
            return Embedder(adapter=reference, engine="packed", device="cpu")
        return Embedder.from_reference(reference, engine="packed", device="cpu")
    except InputError as error:
        raise InputError(
            f"{reference} cannot be exported: only BERT with an adapter of plain LoRA can ({error})"
        ) from error


def _parts(source: Embedder) -> tuple[BaseModel, Adapter | None, BertConfig]:
    named = ModelReference.parse(source.reference)
    base = resolve_base(named.base)
    config = read_bert_config(base)
    if isinstance(config, str):
        raise InputError(f"{named.base} cannot be exported, because {config}")
    if named.adapter is None:
        return base, None, config
    location = resolve_adapter(named.adapter)
    return base, read_adapter(location.name, location.folder), config


def _merged(base: BaseModel, adapter: Adapter | None, config: BertConfig) -> BertWeights:
    from semantic_router_lora.engines.bert_weights import read_bert_weights

    weights = read_bert_weights(base.folder, config)
    if adapter is not None:
        merge_directly(weights.linear_weights(), adapter, config.linear_layers())
    return weights


def _digests(folder: Path) -> dict[str, Any]:
    """SHA-256 of graphs and weights, by what `ExportInfo` calls them."""
    named = {"graph_sha256": GRAPH, "single_sha256": SINGLE, "weights_sha256": WEIGHTS}
    return {key: file_sha256(folder / name) for key, name in named.items()}


def _compare(source: Embedder, exported: Embedder, folder: Path) -> None:
    """Refuse an export whose vectors are not those of its source."""
    tokenizer, engine = read_exported(str(folder)).load()

    def encode_singly(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.concatenate([engine.embed_alone([ids], 1) for ids in tokenizer(texts)])

    expected = source.encode(PROBES)
    ways = (exported.encode, encode_singly)
    difference = max(largest_difference(expected, encode) for encode in ways)
    if not difference <= TOLERANCE:  # also if it is not a number
        raise BaseModelError(
            f"the exported graph of {source.reference} gives other vectors than the embedder "
            f"(largest difference {difference:.1e}): nothing was written"
        )


def _quantized(folder: Path, exact: Embedder, info: ExportInfo) -> ExportInfo:
    """Put the int8 graph in the place of the exact one."""
    from semantic_router_lora.benchmark.suite import load_suites

    trial = folder / "int8"
    trial.mkdir()
    graphs = {trial / name: quantized(folder / name) for name in (GRAPH, SINGLE)}
    save_graphs(graphs, trial / WEIGHTS)
    del graphs
    shutil.copy(folder / TOKENIZER, trial)
    digests = _digests(trial)
    named = f"{info.fingerprint} int8 {digests['graph_sha256']} {digests['weights_sha256']}"
    own = hashlib.sha256(named.encode()).hexdigest()[:16]
    info = replace(info, fingerprint=own, dtype="int8", **digests)
    info.write(trial)
    loss = int8_loss(exact, Embedder(str(trial)), load_suites(["bundled:dev"]))
    info = replace(info, int8_loss=loss)
    for name in (GRAPH, SINGLE, WEIGHTS):
        (trial / name).replace(folder / name)
    shutil.rmtree(trial)
    info.write(folder)
    return info


def _move(folder: Path, output: Path) -> None:
    """Give a complete folder its name; an older one goes once the new one has its place."""
    target = output.resolve()
    old = folder.with_suffix(".old")
    replaced = target.exists()
    try:
        if replaced:
            target.rename(old)
        folder.rename(target)
    except OSError as error:
        if replaced and not target.exists():
            old.rename(target)
        raise InputError(f"output {output} cannot be written: {error.strerror}") from error
    shutil.rmtree(old, ignore_errors=True)
