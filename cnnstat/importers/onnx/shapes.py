"""Shapes of results as onnx infers them, of one node and from what is known of its operands.

Only rules ask for them, of operators whose work is unknown or defined elsewhere. onnx's code for
some others (poolings, ``ConvTranspose``, ``Einsum``, ``Split``, ``GatherND``, ``DepthToSpace``)
ends the process on malformed nodes in one of its versions from 1.17: those have rules of their own.
A whole graph is never inferred, since its shapes can grow without a bound.
"""

from __future__ import annotations

from typing import Any

from onnx import checker, defs, helper, numpy_helper, shape_inference

from cnnstat.importers.onnx.call import Call, Meaning, UnknownShape
from cnnstat.importers.onnx.loading import DTYPES
from cnnstat.ir.op import OpError
from cnnstat.ir.tensor import UNKNOWN, TensorSpec
from cnnstat.ops import Opaque

MAX_EXTENT = 1 << 31
"""Products of larger extents could overflow in 64 bits."""

MAX_ELEMENTS = 1 << 12
"""Larger tensors are no shapes, axes or counts."""

ELEMENT_TYPES = {dtype: number for number, dtype in reversed(DTYPES.items())}

UNSUPPORTED = (
    *(defs.SchemaError, checker.ValidationError),
    *(RuntimeError, ValueError, LookupError, TypeError, MemoryError),
)
"""What onnx raises where it does not know an operator or a form of it."""


def inferred(call: Call) -> tuple[TensorSpec, ...]:
    """Return the specs of results, as the file declares them where they depend on elements.

    ``UNKNOWN`` stands for one that it does not declare. Raises ``OpError`` where the operator
    cannot take its inputs, ``UnknownShape`` where onnx knows nothing of it.
    """
    node, domain = call.node, "" if call.node.domain == "ai.onnx" else call.node.domain
    types, values = {}, {}
    for number, operand in enumerate(call.operands):
        if operand is None:
            continue
        spec, value = call.spec(number), operand.value
        if max(spec.shape, default=0) > MAX_EXTENT:
            raise UnknownShape(operand.name)
        kind = ELEMENT_TYPES.get(spec.dtype, ELEMENT_TYPES["uint8"])
        types[operand.name] = helper.make_tensor_type_proto(kind, spec.shape)
        if value is not None and value.size <= MAX_ELEMENTS:
            values[operand.name] = numpy_helper.from_array(value, operand.name)
    opsets = [helper.make_opsetid(*each) for each in call.opsets.items()]
    try:
        schema = defs.get_schema(node.op_type, call.opsets.get(domain, 0), domain)
        made = shape_inference.infer_node_outputs(schema, node, types, values, opset_imports=opsets)
    except shape_inference.InferenceError as error:
        raise OpError(str(error).partition("] ")[2]) from error
    except UNSUPPORTED as error:
        raise UnknownShape(call.name) from error
    return tuple(_spec(made.get(name)) or call.declared.get(name, UNKNOWN) for name in node.output)


def _spec(inferred_type: Any) -> TensorSpec | None:
    if inferred_type is None or not inferred_type.tensor_type.HasField("shape"):
        return None
    dims = inferred_type.tensor_type.shape.dim
    if not all(dim.HasField("dim_value") for dim in dims):
        return None
    shape = tuple(dim.dim_value for dim in dims)
    if min(shape, default=0) < 0:
        raise OpError(f"the result would be {'x'.join(map(str, shape))}")
    return TensorSpec(shape, DTYPES.get(inferred_type.tensor_type.elem_type, "uint8"))


def unknown_work(call: Call, *results: TensorSpec) -> Meaning:
    """Read an operator of which only the results are known; its work shows as ``?``."""
    return Meaning(Opaque(call.op_type, results or inferred(call)), call.data)
