"""What the workers of a Ray dataset are told to load."""

from __future__ import annotations

import pytest

from semantic_router_lora.errors import InputError


class Dataset:
    """Passes on what it would pass to each worker."""

    def columns(self):
        return ["text"]

    def map_batches(self, worker, *, fn_constructor_kwargs, **options):
        worker(**fn_constructor_kwargs)
        return fn_constructor_kwargs["options"]


@pytest.mark.parametrize(
    ("engine", "own", "told"), [("onnx", "int8", "auto"), ("packed", "bfloat16", "bfloat16")]
)
def test_workers_load_what_was_loaded_here(monkeypatch, engine, own, told):
    pytest.importorskip("ray.data")
    from semantic_router_lora import embedder
    from semantic_router_lora.corpus import encode_dataset

    class Embedder:
        fingerprint = "0123456789abcdef"
        dtype = own

        @classmethod
        def from_reference(cls, reference, *, device, dtype):
            if dtype not in ("auto", "float32", "bfloat16", "float16"):
                raise InputError(f"dtype is {dtype!r}")
            return cls()

    Embedder.engine = engine
    monkeypatch.setattr(embedder, "Embedder", Embedder)
    assert encode_dataset(Dataset(), "folder", dtype="auto") == {"device": "auto", "dtype": told}
