"""Small ONNX models made by hand, and what one use of an ONNX operator is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cnnstat.count.report import Report

KINDS = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "bool": TensorProto.BOOL,
         "uint8": TensorProto.UINT8}  # fmt: skip
IR_VERSIONS = {9: 4, 11: 6, 13: 7, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 23: 11, 24: 12,
               26: 13, 27: 13}  # fmt: skip
"""Of each opset, the version of the format that came with it."""


class X(NamedTuple):
    """A computed input; an extent may be a text, which leaves it free."""

    shape: tuple[int | str, ...]
    dtype: str = "float32"


def weight(*shape: int) -> Any:
    """Return a stored tensor of real numbers that are not all alike."""
    return np.linspace(0.5, 1.5, int(np.prod(shape)), dtype=np.float32).reshape(shape)


def ints(*values: int) -> Any:
    return np.asarray(values, np.int64)


def scalar(value: float) -> Any:
    return np.asarray(value, np.float32)


def model(
    nodes: Sequence[Any],
    inputs: dict[str, X],
    outputs: Sequence[str],
    stored: dict[str, Any] | None = None,
    *,
    opset: int = 17,
    domains: dict[str, int] | None = None,
) -> Any:
    """Return a model; outputs are declared without a shape."""
    entering = [
        helper.make_tensor_value_info(name, KINDS[x.dtype], x.shape) for name, x in inputs.items()
    ]
    leaving = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    initializers = [numpy_helper.from_array(array, name) for name, array in (stored or {}).items()]
    graph = helper.make_graph(list(nodes), "net", entering, leaving, initializers)
    imports = [helper.make_opsetid("", opset)]
    imports += [helper.make_opsetid(name, number) for name, number in (domains or {}).items()]
    return helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSIONS[opset])


def node(op_type: str, inputs: str, outputs: str, name: str = "", **attributes: Any) -> Any:
    """Return a node; names of inputs and outputs with commas between them."""
    return helper.make_node(op_type, inputs.split(","), outputs.split(","), name, **attributes)


def kinds(report: Report) -> list[str]:
    """Return the operators of a model by name."""
    return [each.op.type_name for each in report.shaped.nodes]


def saved(proto: Any, folder: Path, name: str = "net.onnx") -> str:
    path = folder / name
    onnx.save(proto, str(path))
    return str(path)


@dataclass(frozen=True)
class Case:
    """One use of one operator: its inputs in order (None is left out), what must come out.

    ``kind`` is the operator of cnnstat; ``params`` and ``macs`` are written as products.
    """

    op_type: str
    inputs: tuple[Any, ...]
    kind: str
    params: int = 0
    macs: int = 0
    opset: int = 17
    results: int = 1
    attributes: dict[str, Any] = field(default_factory=dict)
    runs: bool = True
    """Whether onnx's reference evaluator can run it, and so tells its shape."""

    @property
    def id(self) -> str:
        shapes = "+".join(
            "x".join(map(str, each.shape)) or "scalar" for each in self.inputs if each is not None
        )
        said = ",".join(f"{key}={value}" for key, value in self.attributes.items())
        return f"{self.op_type}-{self.opset}({said})[{shapes}]"

    def proto(self) -> Any:
        names = ["" if each is None else f"i{n}" for n, each in enumerate(self.inputs)]
        pairs = [(name, each) for name, each in zip(names, self.inputs, strict=True) if name]
        outputs = [f"o{number}" for number in range(self.results)]
        node = helper.make_node(self.op_type, names, outputs, "here", **self.attributes)
        return model(
            [node],
            {name: each for name, each in pairs if isinstance(each, X)},
            outputs,
            {name: each for name, each in pairs if not isinstance(each, X)},
            opset=self.opset,
        )


IMAGE = X((1, 4, 9, 11))


def case(op_type: str, kind: str, *inputs: Any, **said: Any) -> Case:
    known = {key: said.pop(key) for key in ("params", "macs", "opset", "results", "runs")
             if key in said}  # fmt: skip
    return Case(op_type, inputs, kind, attributes=said, **known)
