"""The card of a merged model: what it was made from, and under which licences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_router_lora import __version__
from semantic_router_lora.adapters import layout
from semantic_router_lora.base_models import file_sha256
from semantic_router_lora.reference import parse_hub_id

if TYPE_CHECKING:
    from semantic_router_lora.adapters.read import Adapter
    from semantic_router_lora.base_models import BaseModel
    from semantic_router_lora.embedder import Embedder
    from semantic_router_lora.export.merged import MergedModel

_MAX_CARD_BYTES = 1_000_000
_TEXT = """\
# {adapter}, merged into {base}

A derived model: the base {base} with the LoRA adapter {adapter} merged into its weights.
When semantic-router-lora {version} wrote it, its vectors differed from those of the adapter on its
base by {difference:.0e} at most.

| | |
|---|---|
| Base | {base}, SHA-256 of the weights `{base_sha256}` |
| Adapter | {adapter}, SHA-256 of the weights `{adapter_sha256}` |
| Fingerprint of base and adapter | `{fingerprint}` |
| Fingerprint of this folder | `{merged_fingerprint}` |
| Vectors | {dim} dimensions, unit length, {pooling} pooling, texts cut at {max_length} tokens |
| Licence of the base | {base_license} |
| Licence of the adapter | {adapter_license} |

What the adapter's card says of its data, its limits and its thresholds holds for this model too.

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer({name})  # this folder
```

{note}
"""
_NOT_STATED = "not stated in its files"
_STOCK = "semantic-router loads it by `HuggingFaceEncoder(name={name})` with equal vectors."


def write_card(
    folder: Path,
    *,
    name: str,
    source: Embedder,
    base: BaseModel,
    adapter: Adapter,
    merged: MergedModel,
) -> None:
    """Write README.md with metadata for the Hub.

    Args:
        folder: where to.
        name: that the folder will have.
        source: whose vectors were compared.
        base: of the source.
        adapter: of the source.
        merged: what was found of the folder.
    """
    from huggingface_hub import ModelCardData

    hub_id = None if Path(base.name).is_absolute() else parse_hub_id(base.name)
    licenses = [_license(base.folder), _license(adapter.folder)]
    names = {"base": _shown(base.name), "adapter": _shown(adapter.name)}
    digests = {
        "base_sha256": base.weights_sha256,
        "adapter_sha256": file_sha256(adapter.folder / layout.WEIGHTS),
    }
    metadata = ModelCardData(
        library_name="sentence-transformers",
        pipeline_tag="sentence-similarity",
        tags=["sentence-transformers", "semantic-router", "semantic-cache", "lora"],
        base_model=hub_id.repo if hub_id else None,
        base_model_relation="finetune" if hub_id else None,
        license=licenses[0] if licenses[0] == licenses[1] else None,
        merged_from=names | digests | {"fingerprint": merged.fingerprint},
    )
    text = _TEXT.format(
        **names,
        **digests,
        **vars(merged),
        name=json.dumps(name),
        version=__version__,
        dim=source.dim,
        pooling=source.pooling,
        max_length=source.max_seq_length,
        base_license=licenses[0] or _NOT_STATED,
        adapter_license=licenses[1] or _NOT_STATED,
        note=merged.obstacle or _STOCK.format(name=json.dumps(name)),
    )
    (folder / layout.CARD).write_text(f"---\n{metadata.to_yaml()}\n---\n\n{text}", encoding="utf-8")


def _shown(name: str) -> str:
    """A name in one line of a table, without the path that it has on this machine."""
    return _plain(Path(name).name if Path(name).is_absolute() else name)


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "/")


def _license(folder: Path) -> str | None:
    """What the metadata of a folder's card names as its licence; None if it does not."""
    from huggingface_hub import metadata_load

    card = folder / layout.CARD
    try:
        if card.stat().st_size > _MAX_CARD_BYTES:
            return None
        metadata: Any = metadata_load(card)
        named = metadata["license"]
    except Exception:  # a foreign card may provoke anything here, and no licence is an answer
        return None
    return _plain(named) if isinstance(named, str) and len(named) < 100 else None
