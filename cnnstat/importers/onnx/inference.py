"""What ONNX's own shape inference knows, and what a node's protocol buffer says about tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnx import AttributeProto, TensorProto, helper, numpy_helper, shape_inference

from cnnstat.importers.onnx.loading import DTYPES, OnnxFile
from cnnstat.ir.tensor import TensorSpec

_GRAPHS = (AttributeProto.GRAPH, AttributeProto.GRAPHS)


def captured(node: Any) -> tuple[str, ...]:
    """Return what the graphs inside a node (of a loop, a branch) read from outside them."""
    found: list[str] = []
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs) if attribute.type in _GRAPHS else ():
            made = {t.name for t in graph.initializer} | {i.name for i in graph.input}
            for inner in graph.node:
                found += [n for n in (*inner.input, *captured(inner)) if n and n not in made]
                made.update(inner.output)
            found += [each.name for each in graph.output if each.name not in made]
    return tuple(dict.fromkeys(found))


def constant_of(node: Any) -> Any:
    """Return the tensor of a ``Constant`` node, None where it is none that has a number."""
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        if attribute.name == "value" and attribute.type == AttributeProto.TENSOR:
            return value
        if attribute.name in ("value_int", "value_ints", "value_float", "value_floats"):
            kind = TensorProto.INT64 if "int" in attribute.name else TensorProto.FLOAT
            many = list(value) if attribute.name.endswith("s") else [value]
            dims = [len(many)] if attribute.name.endswith("s") else []
            return helper.make_tensor(node.output[0], kind, dims, many)
    return None


def elements(tensor: Any) -> Any:
    """Return the elements of a tensor in the file, None where they are outside or were left out."""
    if tensor.data_location == TensorProto.EXTERNAL or tensor.data_type == TensorProto.STRING:
        return None
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError):
        return None


def inferred_shapes(file: OnnxFile, inputs: Mapping[str, TensorSpec]) -> dict[str, TensorSpec]:
    """Return what ONNX's own shape inference knows for these inputs: the shapes without a gap."""
    proto = type(file.proto)()
    proto.CopyFrom(file.proto)
    graph = proto.graph
    del graph.value_info[:]
    for value in graph.input:
        if value.name in inputs:
            del value.type.tensor_type.shape.dim[:]
            for extent in inputs[value.name].shape:
                value.type.tensor_type.shape.dim.add().dim_value = extent
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    _declare_empty(graph)
    try:
        graph = shape_inference.infer_shapes(proto, data_prop=True).graph
    except (shape_inference.InferenceError, RuntimeError, ValueError):
        return {}
    found = {}
    for value in (*graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        dims = [dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim]
        if tensor.HasField("shape") and all(dim >= 0 for dim in dims) and tensor.elem_type:
            found[value.name] = TensorSpec(tuple(dims), DTYPES.get(tensor.elem_type, "uint8"))
    return found


def _declare_empty(graph: Any) -> None:
    """Declare initializers whose contents were left out as inputs of their shape."""
    kept = []
    declared = {each.name for each in graph.input}
    for tensor in graph.initializer:
        if elements(tensor) is not None:
            kept.append(tensor)
        elif tensor.name not in declared:
            made = helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            graph.input.append(made)
    del graph.initializer[:]
    graph.initializer.extend(kept)
