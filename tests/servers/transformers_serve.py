"""`transformers serve`, a server that nobody here wrote, with a model of random weights.

What the model says is nonsense; the protocol and the server's errors are real. The server takes no
key, ignores `response_format` and answers one request after the other.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from servers.processes import running_process, wait_until

_START_SECONDS = 180.0
_LISTENS = re.compile(r"Uvicorn running on (http://127\.0\.0\.1:\d+)")
_CHAT_TEMPLATE = (
    "{% for message in messages %}<|start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class RunningTransformers:
    """A `transformers serve` that listens, with its model loaded.

    Attributes:
        url: what goes into --endpoint, `http://127.0.0.1:PORT/v1`.
        model: the name that the server knows its model by.
    """

    url: str
    model: str


def save_random_model(folder: Path, texts: Iterable[str], seed: int = 0) -> None:
    """Write a Llama of random weights with a tokenizer for `texts` and a chat template.

    It samples: another text for each request, at most `max_tokens` long, most of it no words and
    some of it cut UTF-8.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokens = Tokenizer(models.BPE())
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        special_tokens=["<|start|>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokens.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokens, bos_token="<|start|>", eos_token="<|end|>", pad_token="<|end|>"
    )
    tokenizer.chat_template = _CHAT_TEMPLATE
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=16384,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config)
    model.generation_config.do_sample = True
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@contextlib.contextmanager
def running_transformers(tmp_path: Path, model: Path) -> Iterator[RunningTransformers]:
    """Serve the checkpoint in the folder `model` on loopback, and end the server afterwards.

    Raises:
        RuntimeError: if the server does not start.
    """
    output = tmp_path / "transformers-serve.txt"
    cache = tmp_path / "hub"
    cache.mkdir(exist_ok=True)
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_CACHE": str(cache),
        "OMP_NUM_THREADS": "1",
    }
    program = Path(sys.executable).with_name("transformers")
    options = ["--device", "cpu", "--host", "127.0.0.1", "--port", "0"]
    with running_process([program, "serve", model, *options], output, env=environment) as process:
        wait_until(
            lambda: _LISTENS.search(output.read_text(errors="replace")),
            process,
            output,
            _START_SECONDS,
        )
        found = _LISTENS.search(output.read_text(errors="replace"))
        assert found is not None
        yield RunningTransformers(f"{found[1]}/v1", str(model))
