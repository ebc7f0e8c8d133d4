"""Shapes that a file declares for its results: all that is known of an operator without a rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnnstat.importers.onnx.loading import DTYPES, OnnxFile
from cnnstat.ir.tensor import TensorSpec


def declared_shapes(file: OnnxFile, inputs: Mapping[str, TensorSpec]) -> dict[str, TensorSpec]:
    """Return the declared shapes without a gap, by name, for inputs of these specs.

    A named axis has the extent that it has among the inputs. Where an input is given another
    extent than the file fixes, the file's declarations are of another run, and nothing is returned.
    """
    extents: dict[str, int] = {}
    for name, spec in inputs.items():
        declared = file.inputs[name].extents
        for axis, extent in zip(declared or (), spec.shape, strict=False):
            if isinstance(axis, int) and axis != extent:
                return {}
            if isinstance(axis, str):
                extents.setdefault(axis, extent)
    graph = file.proto.graph
    shapes = {value.name: _shape(value, extents) for value in (*graph.value_info, *graph.output)}
    return {name: spec for name, spec in shapes.items() if spec is not None}


def _shape(value: Any, extents: Mapping[str, int]) -> TensorSpec | None:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape") or not tensor.elem_type:
        return None
    shape = [
        dim.dim_value if dim.HasField("dim_value") else extents.get(dim.dim_param, -1)
        for dim in tensor.shape.dim
    ]
    if any(extent < 0 for extent in shape):
        return None
    return TensorSpec(tuple(shape), DTYPES.get(tensor.elem_type, "uint8"))
