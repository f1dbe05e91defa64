"""Dynamic quantisation of an exported graph, and what it costs."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semantic_router_lora.errors import require

if TYPE_CHECKING:
    from semantic_router_lora.benchmark.suite import Suite
    from semantic_router_lora.embedder import Embedder


def quantized(exact: Path) -> Any:
    """An ``onnx.ModelProto`` whose linear layers multiply 8-bit integers.

    Weights are quantised once, each output column by a scale of its own; what they multiply is
    quantised as it comes. Embeddings, attention and normalisation stay in float32.

    Args:
        exact: a graph of `bert_graph`, saved.

    Raises:
        MissingExtraError: without onnx or onnxruntime.
    """
    onnx: Any = require("onnx", "onnx")
    require("onnxruntime", "onnx")
    quantization: Any = require("onnxruntime.quantization", "onnx")
    with _no_advice(), tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / exact.name
        quantization.quantize_dynamic(
            exact,
            output,
            op_types_to_quantize=["MatMul", "Gemm", "Attention"],
            per_channel=True,
            weight_type=quantization.QuantType.QInt8,
            # of what follows the runtime's own operators, which onnx cannot infer the types of
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        return onnx.load(output)


@contextlib.contextmanager
def _no_advice() -> Iterator[None]:
    """Keep the quantiser from recommending, through the root logger, a step that is not needed."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def int8_loss(exact: Embedder, quantized: Embedder, suites: Sequence[Suite]) -> dict[str, Any]:
    """How far the vectors of two embedders lie apart, and what that means on suites.

    Returns:
        ``cosine_mean`` and ``cosine_min`` over the different texts of all suites, and
        ``average_precision``: of both, by domain, on all triplets of the suite.
    """
    from semantic_router_lora.benchmark.metrics import average_precision, curve
    from semantic_router_lora.benchmark.similarities import similarities_of

    texts = sorted(
        {text for suite in suites for triplet in suite.triplets for text in triplet.texts}
    )
    cosines = np.einsum("ij,ij->i", exact.encode(texts), quantized.encode(texts))
    precision: dict[str, dict[str, float]] = {suite.domain: {} for suite in suites}
    for embedder in (exact, quantized):
        for suite, found in zip(suites, similarities_of(embedder, suites), strict=True):
            counts = curve(found, np.ones((1, len(suite.triplets))))
            precision[suite.domain][embedder.dtype] = float(average_precision(counts)[0])
    return {
        "texts": len(texts),
        "cosine_mean": float(cosines.mean()),
        "cosine_min": float(cosines.min()),
        "average_precision": precision,
    }
