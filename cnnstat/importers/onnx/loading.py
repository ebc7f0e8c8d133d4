"""An ONNX file as it stands: its nodes, its stored tensors without large contents, its inputs.

Nothing is executed: a file is parsed, local functions are written out, and that is all. External
data is never opened.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from onnx import ModelProto, TensorProto, inliner

from cnnstat.errors import ModelError, UsageError
from cnnstat.importers.declared import Declared
from cnnstat.importers.onnx.nodes import check_functions, inner_graphs
from cnnstat.importers.onnx.wire import WireError, without_weights
from cnnstat.ir.tensor import TensorSpec

OLDEST_OPSET = 7

DTYPES: dict[int, str] = {
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
    TensorProto.FLOAT16: "float16",
    TensorProto.BFLOAT16: "bfloat16",
    TensorProto.FLOAT8E4M3FN: "float8_e4m3fn",
    TensorProto.FLOAT8E5M2: "float8_e5m2",
    TensorProto.COMPLEX64: "complex64",
    TensorProto.COMPLEX128: "complex128",
    TensorProto.INT64: "int64",
    TensorProto.INT32: "int32",
    TensorProto.INT16: "int16",
    TensorProto.INT8: "int8",
    TensorProto.UINT8: "uint8",
    TensorProto.UINT16: "int16",
    TensorProto.UINT32: "int32",
    TensorProto.UINT64: "int64",
    TensorProto.BOOL: "bool",
}
"""ONNX's element types by PyTorch's names; unsigned ones that have none by their width."""


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """A parsed file: its reference for messages, model, opset of each domain, declared inputs."""

    reference: str
    proto: Any
    opsets: Mapping[str, int]
    inputs: Mapping[str, Declared]
    containers: tuple[str, ...] = ()
    """Inputs that are not tensors: sequences, optional values."""


def load_file(path: str) -> OnnxFile:
    """Return a file parsed.

    Raises ``UsageError`` where it cannot be read, ``ModelError`` where it is no ONNX model, is cut
    off or older than opset 7.
    """
    proto = _parsed(path)
    if not proto.opset_import or not proto.graph.node:
        raise ModelError(f"{path}: not an ONNX model: it has no operators or no opset")
    opsets = {("" if o.domain == "ai.onnx" else o.domain): o.version for o in proto.opset_import}
    if 0 < opsets.get("", 0) < OLDEST_OPSET:
        raise ModelError(
            f"{path}: opset {opsets['']} is too old, {OLDEST_OPSET} and later are read; "
            "onnx.version_converter upgrades a file"
        )
    if any(isinstance(text, bytes) for text in _texts(proto.graph)):
        raise ModelError(f"{path}: not an ONNX model: its names are not UTF-8 text")
    if proto.functions:
        check_functions(path, proto)
        try:
            proto = inliner.inline_local_functions(proto)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{path}: its local functions cannot be expanded") from error
    stored = {tensor.name for tensor in proto.graph.initializer}
    entering = [each for each in proto.graph.input if each.name not in stored]
    tensors = [each for each in entering if each.type.WhichOneof("value") in (None, "tensor_type")]
    containers = tuple(each.name for each in entering if each not in tensors)
    declared = {each.name: _declared(path, each) for each in tensors}
    return OnnxFile(path, proto, opsets, declared, containers)


def _parsed(path: str) -> Any:
    try:
        with Path(path).open("rb") as file:
            if not file.seek(0, 2):
                raise ModelError(f"{path}: not an ONNX model: the file is empty")
            with (
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
                memoryview(mapped) as contents,
            ):
                slim = without_weights(contents)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except WireError as error:
        raise ModelError(f"{path}: not a complete ONNX model: {error}") from error
    proto = ModelProto()
    try:
        proto.ParseFromString(slim)
    except DecodeError as error:
        raise ModelError(f"{path}: not an ONNX model") from error
    return proto


def _texts(graph: Any) -> Iterator[str | bytes]:
    """Yield the names in a graph; protobuf gives those that are no UTF-8 as bytes."""
    for each in (*graph.input, *graph.output, *graph.initializer):
        yield each.name
    for each in graph.input:
        for dim in each.type.tensor_type.shape.dim:
            yield dim.dim_param
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
        for inner in inner_graphs(node):
            yield from _texts(inner)


def _declared(path: str, value: Any) -> Declared:
    tensor = value.type.tensor_type
    dtype = DTYPES.get(tensor.elem_type, "uint8")
    if not tensor.HasField("shape"):
        return Declared(value.name, None, dtype)
    extents: list[int | str | None] = []
    for dim in tensor.shape.dim:
        if dim.dim_value < -1:
            raise ModelError(
                f"{path}: its input {value.name!r} has an extent of {dim.dim_value}; "
                "an extent is at least 0, or a name"
            )
        known = dim.HasField("dim_value") and dim.dim_value >= 0
        extents.append(dim.dim_value if known else dim.dim_param or None)
    return Declared(value.name, tuple(extents), dtype)


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
