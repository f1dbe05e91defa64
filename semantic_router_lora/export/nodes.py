"""Nodes and constants of an ONNX graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from semantic_router_lora.errors import require

MICROSOFT = "com.microsoft"
_OPSET = 17
_IR_VERSION = 8  # of the first onnx release with that opset: older runtimes read it


class Graph:
    """Nodes and constants as they come.

    Raises:
        MissingExtraError: without onnx.
    """

    def __init__(self) -> None:
        self._onnx: Any = require("onnx", "onnx")
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def constant(self, name: str, value: Any) -> str:
        """Add a tensor or array once, and return its name."""
        if name not in self._constants:
            array = np.ascontiguousarray(value.numpy() if hasattr(value, "numpy") else value)
            self._constants[name] = self._onnx.numpy_helper.from_array(
                array.reshape(np.shape(value)), name
            )
        return name

    def node(
        self, kind: str, inputs: list[str], output: str = "", *, domain: str = "", **settings: Any
    ) -> str:
        """Add a node, and return the name of its output."""
        output = output or f"{kind}.{len(self._nodes)}"
        self._nodes.append(
            self._onnx.helper.make_node(
                kind, inputs, [output], name=output, domain=domain, **settings
            )
        )
        return output

    def model(self, dim: int) -> Any:
        """The whole model."""
        helper, types = self._onnx.helper, self._onnx.TensorProto
        graph = helper.make_graph(
            self._nodes,
            "sentence encoder",
            [
                helper.make_tensor_value_info("ids", types.INT64, ["tokens"]),
                helper.make_tensor_value_info("lengths", types.INT64, ["texts"]),
            ],
            [helper.make_tensor_value_info("vectors", types.FLOAT, ["texts", dim])],
            list(self._constants.values()),
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(
            graph,
            opset_imports=opsets,
            ir_version=_IR_VERSION,
            producer_name="semantic-router-lora",
        )

    def split(self, value: str, count: int, *, axis: int) -> list[str]:
        """Add a node that cuts a tensor into so many equal parts, and return their names."""
        outputs = [f"Split.{len(self._nodes)}.{part}" for part in range(count)]
        made = self._onnx.helper.make_node("Split", [value], outputs, name=outputs[0], axis=axis)
        self._nodes.append(made)
        return outputs

    def cast_to_float(self, value: str) -> str:
        """Add a node that makes float32 of anything."""
        return self.node("Cast", [value], to=self._onnx.TensorProto.FLOAT)

    def cast_to_int32(self, value: str, output: str) -> str:
        """Add a node that makes int32 of anything."""
        return self.node("Cast", [value], output, to=self._onnx.TensorProto.INT32)

    def filled(self, shape: str, value: Any) -> str:
        """Add a node that makes a tensor of this shape, full of the one number in an array."""
        return self.node(
            "ConstantOfShape", [shape], value=self._onnx.numpy_helper.from_array(value)
        )
