"""Writing what was trained as an adapter folder, and reading weights back into a running model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_router_lora.adapters import layout
from semantic_router_lora.base_models import BaseModel

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

# Keys as PeftModel writes them, so that any release of peft reads the file.
_PREFIX = "base_model.model."


def write_weights(model: SentenceTransformer, folder: Path, dtype: str = "float32") -> None:
    """Write the adapter's weights, as ``float32`` or ``float16``."""
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import save

    encoder: Any = model[0].model
    state: dict[str, Tensor] = get_peft_model_state_dict(encoder, save_embedding_layers=False)
    # save_file would leave a file that its owner alone can read
    content = save(
        {
            key if key.startswith(_PREFIX) else _PREFIX + key: tensor.detach()
            .to("cpu", getattr(torch, dtype))
            .contiguous()
            for key, tensor in state.items()
        },
        metadata={"format": "pt"},
    )
    (folder / layout.WEIGHTS).write_bytes(content)


def read_weights(model: SentenceTransformer, folder: Path) -> None:
    """Put the weights of a folder into the running adapter.

    sentence-transformers would load the folder as a model of its own, and an adapter that is
    injected into a base comes back from there with other weights.
    """
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    encoder: Any = model[0].model
    state = load_file(folder / layout.WEIGHTS)
    named = {key.removeprefix(_PREFIX): tensor for key, tensor in state.items()}
    result: Any = set_peft_model_state_dict(encoder, named)
    missing = [key for key in result.missing_keys if "lora_" in key]
    if missing or result.unexpected_keys:
        raise RuntimeError(f"{folder} does not fit the model: {missing} {result.unexpected_keys}")


def write_folder(base: BaseModel, model: SentenceTransformer, folder: Path, dtype: str) -> None:
    """Write the adapter's configuration, weights of a type, and tokenizer."""
    encoder: Any = model[0].model
    config = encoder.peft_config["default"]
    config.base_model_name_or_path = base.name
    config.inference_mode = True
    config.save_pretrained(str(folder))
    write_weights(model, folder, dtype)
    for name in (layout.TOKENIZER, layout.TOKENIZER_CONFIG):
        if (base.folder / name).is_file():
            (folder / name).write_bytes((base.folder / name).read_bytes())


def write_json(path: Path, content: Any) -> None:
    """Write readable JSON."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
