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

from cnnstat.errors import ModelError, UsageError, unknown
from cnnstat.importers.onnx.functions import check_functions
from cnnstat.importers.onnx.paths import printable
from cnnstat.importers.onnx.wire import WireError, without_weights
from cnnstat.importers.reference import Shapes
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

"""The other way round: of two types of one name the first."""


@dataclass(frozen=True, slots=True)
class Declared:
    """An input as the file declares it; None for an extent that is free, a text if it is named."""

    name: str
    extents: tuple[int | str | None, ...] | None
    dtype: str

    @property
    def spec(self) -> TensorSpec:
        """The spec with 0 for each free extent; (0, 0) for an unknown rank."""
        extents = (None, None) if self.extents is None else self.extents
        return TensorSpec(tuple(e if isinstance(e, int) else 0 for e in extents), self.dtype)

    @property
    def shape_text(self) -> str:
        """The extents as an error message shows them."""
        said = (printable(str(e or "?")) if e != 0 else "0" for e in self.extents or ())
        return "x".join(said) or "a scalar"


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """A parsed file: its reference for messages, model, opset of each domain, declared inputs."""

    reference: str
    proto: Any
    opsets: Mapping[str, int]
    inputs: Mapping[str, Declared]
    containers: tuple[str, ...] = ()
    """Inputs that are no tensors: sequences, optional values."""

    @property
    def opset(self) -> int:
        """The version of ONNX's own operators."""
        return self.opsets.get("", 0)


def load_file(path: str) -> OnnxFile:
    """Return a file parsed.

    Raises ``UsageError`` where it cannot be read, ``ModelError`` where it is no ONNX model, is cut
    off or older than opset 7.
    """
    proto = _parsed(path)
    if not proto.opset_import or not proto.graph.node:
        raise ModelError(f"{path}: this is no ONNX model: it has no operators or no opset")
    opsets = {("" if o.domain == "ai.onnx" else o.domain): o.version for o in proto.opset_import}
    if 0 < opsets.get("", 0) < OLDEST_OPSET:
        raise ModelError(
            f"{path}: opset {opsets['']} is too old, {OLDEST_OPSET} and later are read; "
            "onnx.version_converter renews a file"
        )
    if any(isinstance(text, bytes) for text in _texts(proto.graph)):
        raise ModelError(f"{path}: this is no ONNX model: its names are no UTF-8 text")
    if proto.functions:
        check_functions(path, proto)
        try:
            proto = inliner.inline_local_functions(proto)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{path}: its local functions cannot be written out") from error
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
                raise ModelError(f"{path}: this is no ONNX model: the file is empty")
            with (
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
                memoryview(mapped) as contents,
            ):
                slim = without_weights(contents)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except WireError as error:
        raise ModelError(f"{path}: this is no whole ONNX model: {error}") from error
    proto = ModelProto()
    try:
        proto.ParseFromString(slim)
    except DecodeError as error:
        raise ModelError(f"{path}: this is no ONNX model") from error
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
        for attribute in node.attribute:
            yield attribute.name
            for inner in (attribute.g, *attribute.graphs):
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


def entering_specs(file: OnnxFile, shapes: Shapes, batch: int = 1) -> dict[str, TensorSpec]:
    """Return the spec of every input: of these shapes, else as the file declares it.

    The first axis is the batch where the file leaves it open. One that it fixes stays as it is,
    unless there is a batch of several: that replaces it where it is the first input's. An axis
    that has a name has the same extent wherever the name stands. Raises ``UsageError`` for an open
    extent that nothing fills, for a name that is no input, and for a shape of another rank.
    """
    for name in shapes:
        if name not in file.inputs:
            raise unknown("input", name, file.inputs)
    names: dict[str, int] = {}
    extents = {
        name: _stated(file, declared, shapes.get(name), names)
        for name, declared in file.inputs.items()
    }
    leads = [each.extents[0] for each in file.inputs.values() if each.extents]
    fixed = leads[0] if leads and isinstance(leads[0], int) and batch != 1 else None
    specs: dict[str, TensorSpec] = {}
    for name, declared in file.inputs.items():
        shape = extents[name]
        if shape and (shape[0] is None or shape[0] == fixed):
            shape[0] = batch
            if declared.extents and isinstance(declared.extents[0], str):
                shape[0] = names.setdefault(declared.extents[0], batch)
        if None in shape:
            raise UsageError(_free(file, declared))
        spec = shapes.get(name)
        dtype = spec.dtype if isinstance(spec, TensorSpec) else declared.dtype
        specs[name] = TensorSpec(tuple(extent or 0 for extent in shape), dtype)
    return specs


def _stated(
    file: OnnxFile,
    declared: Declared,
    wanted: tuple[int, ...] | TensorSpec | None,
    names: dict[str, int],
) -> list[int | None]:
    """Return the extents that are known of an input; ``names`` collects those of named axes."""
    behind = wanted.shape if isinstance(wanted, TensorSpec) else wanted
    if declared.extents is None:
        return [None, None] if behind is None else [None, *behind]
    if behind is None:
        return [
            names.get(extent) if isinstance(extent, str) else extent for extent in declared.extents
        ]
    if not declared.extents and not behind:
        return []
    axes = list(declared.extents[1:])
    if not declared.extents or len(axes) != len(behind):
        raise UsageError(
            f"{file.reference}: its input {declared.name!r} is {declared.shape_text}, so "
            f"{'x'.join(map(str, behind))} does not fit: give {len(axes)} extents, without the "
            "first axis"
        )
    for axis, extent in zip(axes, behind, strict=True):
        if isinstance(axis, str):
            names.setdefault(axis, extent)
    lead = declared.extents[0]
    return [lead if isinstance(lead, int) else None, *behind]


def _free(file: OnnxFile, declared: Declared) -> str:
    if declared.extents is None:
        return (
            f"{file.reference}: the file does not say the shape of its input {declared.name!r}: "
            f"give it without the batch, as in --input {declared.name}=3x224x224"
        )
    said = declared.shape_text
    usual = "x".join(str(e) if isinstance(e, int) else "224" for e in declared.extents[1:])
    several = f"{declared.name}=" if len(file.inputs) > 1 else ""
    return (
        f"{file.reference}: its input {declared.name!r} is {said}, which leaves extents open: "
        f"give them, as in --input {several}{usual}"
    )
