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
from cnnstat.importers.onnx.wire import WireError, without_weights
from cnnstat.ir.tensor import TensorSpec

OLDEST_OPSET = 9

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
        """The spec with batch first and 0 for each free extent; (0, 0) for an unknown rank."""
        extents = (None, None) if self.extents is None else self.extents
        return TensorSpec(tuple(e if isinstance(e, int) else 0 for e in extents), self.dtype)


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """A parsed file: its reference for messages, its model, its opset, its declared inputs."""

    reference: str
    proto: Any
    opset: int
    inputs: Mapping[str, Declared]


def load_file(path: str) -> OnnxFile:
    """Return a file parsed.

    Raises ``UsageError`` where it cannot be read, ``ModelError`` where it is no ONNX model, is cut
    off or older than opset 9.
    """
    proto = _parsed(path)
    if not proto.opset_import or not proto.graph.node:
        raise ModelError(f"{path}: this is no ONNX model: it has no operators or no opset")
    opset = next((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), 0)
    if opset and opset < OLDEST_OPSET:
        raise ModelError(
            f"{path}: opset {opset} is too old, {OLDEST_OPSET} and later are read; "
            "onnx.version_converter renews a file"
        )
    if any(isinstance(text, bytes) for text in _texts(proto.graph)):
        raise ModelError(f"{path}: this is no ONNX model: its names are no UTF-8 text")
    if proto.functions:
        try:
            proto = inliner.inline_local_functions(proto)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{path}: its local functions cannot be written out") from error
    stored = {tensor.name for tensor in proto.graph.initializer}
    entering = [_declared(each) for each in proto.graph.input if each.name not in stored]
    return OnnxFile(path, proto, opset, {each.name: each for each in entering})


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


def _declared(value: Any) -> Declared:
    tensor = value.type.tensor_type
    dtype = DTYPES.get(tensor.elem_type, "uint8")
    if not tensor.HasField("shape"):
        return Declared(value.name, None, dtype)
    extents: list[int | str | None] = []
    for dim in tensor.shape.dim:
        known = dim.HasField("dim_value") and dim.dim_value > 0
        extents.append(dim.dim_value if known else dim.dim_param or None)
    return Declared(value.name, tuple(extents), dtype)


def entering_specs(file: OnnxFile, given: Mapping[str, TensorSpec]) -> dict[str, TensorSpec]:
    """Return the spec of every input: as given, else as declared, with the batch of the given.

    A later input whose first extent is fixed and is not the batch keeps it. Raises ``UsageError``
    for a free extent that nothing fills.
    """
    found: dict[str, TensorSpec] = {}
    first = next(iter(file.inputs.values()), None)
    batch = next((spec.shape[0] for spec in given.values() if spec.shape), 1)
    for name, declared in file.inputs.items():
        spec = given.get(name, declared.spec)
        shape = (batch, *spec.shape[1:]) if declared.extents != () else ()
        if declared.extents and first is not None and first.extents and declared is not first:
            lead = declared.extents[0]
            if isinstance(lead, int) and lead != first.extents[0]:
                shape = (lead, *shape[1:])
        if 0 in shape:
            raise UsageError(_free(file, declared))
        found[name] = TensorSpec(shape, spec.dtype)
    return found


def _free(file: OnnxFile, declared: Declared) -> str:
    if declared.extents is None:
        return (
            f"{file.reference}: the file does not say the shape of its input {declared.name!r}: "
            f"give it without the batch, as in --input {declared.name}=3x224x224"
        )
    said = "x".join(str(extent or "?") for extent in declared.extents)
    usual = "x".join(str(e) if isinstance(e, int) else "224" for e in declared.extents[1:])
    several = f"{declared.name}=" if len(file.inputs) > 1 else ""
    return (
        f"{file.reference}: its input {declared.name!r} is {said}, which leaves extents open: "
        f"give them, as in --input {several}{usual}"
    )
