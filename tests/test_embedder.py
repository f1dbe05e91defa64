"""Vectors: right, whatever the batch, the thread or the process; or one clear error."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from semantic_router_lora import Embedder, LoRAHuggingFaceEncoder
from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.errors import AdapterMismatchError, InputError, ModelReferenceError

TEXTS = [
    "",
    "symptoms of diabetes",
    "What is the treatment of diabetes?",
    "Ünïcode, 漢字 and 🙂",
    "hubby 54 bp 160/95 meds??",
    "git " * 40,
    "a long message with some context " * 60,
]


@pytest.fixture(scope="module")
def embedder(adapter_folder: Path) -> Embedder:
    return Embedder(DEFAULT_BASE, str(adapter_folder))


@pytest.fixture(scope="module")
def encoder(adapter_folder: Path) -> LoRAHuggingFaceEncoder:
    return LoRAHuggingFaceEncoder(adapter=str(adapter_folder))


def reference_card_vectors(base: Path, adapter: Path, texts: list[str]) -> np.ndarray:
    """The way of the reference system's model card: SentenceTransformer around a PeftModel."""
    from peft import PeftModel
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(base), device="cpu")
    model[0].model = PeftModel.from_pretrained(model[0].model, str(adapter))
    return model.encode(texts, normalize_embeddings=True, convert_to_numpy=True)


def test_parity_with_the_reference_card(embedder, base_folder, adapter_folder):
    pytest.importorskip("sentence_transformers")
    expected = reference_card_vectors(base_folder, adapter_folder, TEXTS)
    np.testing.assert_allclose(embedder.encode(TEXTS), expected, atol=1e-6)


def test_base_alone_equals_sentence_transformers(base_folder):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    model = sentence_transformers.SentenceTransformer(str(base_folder), device="cpu")
    expected = model.encode(TEXTS, normalize_embeddings=True, convert_to_numpy=True)
    np.testing.assert_allclose(Embedder(DEFAULT_BASE).encode(TEXTS), expected, atol=1e-6)


def test_shape_type_and_length(embedder):
    vectors = embedder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dim) == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert embedder.encode([]).shape == (0, 384)


def test_same_vector_in_any_batch(embedder, adapter_folder):
    together = embedder.encode(TEXTS * 5)
    for position, text in enumerate(TEXTS):
        np.testing.assert_allclose(embedder.encode([text])[0], together[position], atol=1e-6)
    tiny = Embedder(DEFAULT_BASE, str(adapter_folder), max_batch_tokens=1)
    np.testing.assert_allclose(tiny.encode(TEXTS), together[: len(TEXTS)], atol=1e-6)


def test_threads_get_what_one_thread_gets(embedder):
    expected = embedder.encode(TEXTS)
    with ThreadPoolExecutor(8) as pool:
        for vectors in pool.map(lambda _: embedder.encode(TEXTS), range(24)):
            np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_no_gradient_is_kept_in_a_new_thread(embedder):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(embedder.encode, ["text"]).result()
    assert torch.is_inference_mode_enabled() is False


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_stays_close(embedder, adapter_folder, dtype):
    half = Embedder(DEFAULT_BASE, str(adapter_folder), dtype=dtype).encode(TEXTS)
    assert half.dtype == np.float32
    assert ((half * embedder.encode(TEXTS)).sum(axis=1) > 0.999).all()


def test_fingerprint(embedder, adapter_folder, make_adapter, tmp_path):
    assert Embedder(DEFAULT_BASE, str(adapter_folder)).fingerprint == embedder.fingerprint
    others = {
        Embedder(DEFAULT_BASE).fingerprint,
        Embedder(DEFAULT_BASE, str(make_adapter(seed=1))).fingerprint,
        embedder.fingerprint,
    }
    assert len(others) == 3
    # equal weights, other scaling: other vectors
    config = adapter_folder / "adapter_config.json"
    for file in adapter_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / config.name).write_text(
        config.read_text().replace('"lora_alpha": 16', '"lora_alpha": 32')
    )
    assert Embedder(DEFAULT_BASE, str(tmp_path)).fingerprint not in others


def test_references(embedder, adapter_folder):
    assert embedder.reference == f"{DEFAULT_BASE}+lora:{adapter_folder}"
    again = Embedder.from_reference(embedder.reference)
    assert again.fingerprint == embedder.fingerprint
    assert Embedder(adapter=str(adapter_folder)).reference == embedder.reference
    assert Embedder("all-MiniLM-L6-v2").reference == DEFAULT_BASE
    for wrong in ("", "+lora:x", f"{DEFAULT_BASE}+lora:", "a+lora:b+lora:c"):
        with pytest.raises(ModelReferenceError):
            Embedder.from_reference(wrong)
    with pytest.raises(ModelReferenceError, match="neither bundled"):
        Embedder(DEFAULT_BASE, "no such adapter")
    with pytest.raises(ModelReferenceError, match="HF_HUB_OFFLINE is set"):
        Embedder(DEFAULT_BASE, "someone/adapter@v1")
    with pytest.raises(ModelReferenceError):
        Embedder()


def test_device_and_options(adapter_folder):
    assert Embedder(adapter=str(adapter_folder), device="cpu").device == torch.device("cpu")
    for options in ({"device": "nonsense"}, {"dtype": "int8"}, {"max_batch_tokens": 0}):
        with pytest.raises(InputError):
            Embedder(adapter=str(adapter_folder), **options)
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="cuda"):
            Embedder(adapter=str(adapter_folder), device="cuda")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("a bare string", r"got str; wrap a single text: \[text\]"),
        (b"bytes", "got bytes"),
        (None, "got NoneType"),
        (7, "got int"),
        ((text for text in "ab"), "got generator"),
        (["fine", None], "got NoneType at position 1"),
        (["fine", 3.5], "got float at position 1"),
        ([("a", "pair")], "got tuple at position 0"),
        (["fine", "half a pair: \ud83d"], "position 1 holds a lone surrogate"),
    ],
)
def test_bad_texts_are_one_clear_error(embedder, encoder, texts, message):
    with pytest.raises(InputError, match=message):
        embedder.encode(texts)
    if not hasattr(texts, "send"):
        with pytest.raises(InputError, match=message):
            encoder(texts)
        with pytest.raises(InputError, match=message):
            asyncio.run(encoder.acall(texts))


def test_a_huge_text_is_embedded_as_its_beginning(embedder):
    words = (
        "what are the early signs of shingles on the face and how fast do they spread " * 130_000
    )
    assert len(words) > 10_000_000
    spaces = " " * 1_000_000 + "hello"
    beginning = words[: 20 * embedder.max_seq_length]
    np.testing.assert_allclose(
        embedder.encode([words, spaces]), embedder.encode([beginning, "hello"]), atol=1e-6
    )


def test_unpickling_elsewhere_notices_another_adapter(make_adapter, tmp_path):
    folder = make_adapter(tmp_path / "adapter")
    data = pickle.dumps(Embedder(adapter=str(folder)))
    make_adapter(folder, seed=5)
    with pytest.raises(AdapterMismatchError, match="fingerprint"):
        pickle.loads(data)


@pytest.mark.parametrize(
    "code",
    [
        "import semantic_router_lora",
        "import semantic_router_lora, semantic_router_lora.errors, semantic_router_lora.reference",
        "import sys; sys.argv = ['x', '--help']\n"
        "from semantic_router_lora.cli import main\n"
        "try:\n    main()\nexcept SystemExit: pass",
    ],
)
def test_light_imports(code):
    check = (
        "\nimport sys\n"
        "heavy = {'torch', 'transformers', 'peft', 'sentence_transformers', 'sklearn'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code + check], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
