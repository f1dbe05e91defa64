"""The files of an adapter folder. Described for readers in docs/adapter-format.md."""

from __future__ import annotations

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
CARD = "README.md"
TRAINING_INFO = "training_info.json"
TRAINING_HISTORY = "training_history.json"
TRAINING_PLOT = "training_history.png"  # for readers: no use of an adapter needs it
EVALUATION = "evaluation_results.json"

REQUIRED = (CONFIG, WEIGHTS)
FILES = (
    CONFIG,
    WEIGHTS,
    TOKENIZER,
    TOKENIZER_CONFIG,
    CARD,
    TRAINING_INFO,
    TRAINING_HISTORY,
    EVALUATION,
)
