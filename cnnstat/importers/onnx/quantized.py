"""ONNX operators on quantised tensors: scales and zero points are arguments, never parameters."""

from __future__ import annotations

from cnnstat import ops
from cnnstat.importers.onnx.call import Call, Meaning, Operand, UnknownShape
from cnnstat.importers.onnx.layers import check_fit, convolution_of
from cnnstat.importers.onnx.loading import DTYPES
from cnnstat.ir.tensor import TensorSpec


def quantize(call: Call) -> Meaning:
    """Read a division by a scale, a rounding and the addition of a zero point."""
    zero = call.operand(2)
    dtype = DTYPES.get(call.integer("output_dtype", 0), "uint8")
    if zero is not None:
        dtype = call.spec(2).dtype
    return Meaning(ops.Pointwise("quantize", dtype), (call.required(0),))


def dequantize(call: Call) -> Meaning:
    """Read the subtraction of a zero point and a multiplication by a scale."""
    return Meaning(ops.Pointwise("dequantize", call.spec(1).dtype), (call.required(0),))


def dynamic_quantize(call: Call) -> Meaning:
    """Read a quantisation whose scale comes from the smallest and the largest element."""
    op = ops.Pointwise("dynamic_quantize", "uint8")
    scale, zero = TensorSpec((), "float32"), TensorSpec((), "uint8")
    return Meaning(op, (call.required(0),), extras=((1, "scale", scale), (2, "zero_point", zero)))


def quantized_convolution(call: Call) -> Meaning | None:
    """Read ``QLinearConv``; scales and zero points are not parameters."""
    return convolution_of(call, 3, call.operand(8))


def integer_convolution(call: Call) -> Meaning | None:
    """Read ``ConvInteger``, which adds up in 32 bits."""
    meant = convolution_of(call, 1, None)
    return None if meant is None else _widened(meant, call.spec())


def _widened(meant: Meaning, spec: TensorSpec) -> Meaning:
    """Return a product of whole numbers with its sums in 32 bits."""
    specs = [each.spec or spec for each in meant.reads]
    for number, _, op in meant.before:
        specs[number] = op.infer((specs[number],))[0]
    (made,) = meant.op.infer(tuple(specs))
    wide = ops.Rearrange("cast", (TensorSpec(made.shape, "int32"),))
    return meant._replace(after=(*meant.after, (0, "cast", wide)))


def quantized_product(call: Call) -> Meaning:
    """Read ``QLinearMatMul``; scales and zero points are not parameters."""
    return _product(call, call.required(0), call.required(3))


def integer_product(call: Call) -> Meaning:
    """Read ``MatMulInteger``, which adds up in 32 bits."""
    return _widened(_product(call, call.required(0), call.required(1)), call.spec())


def _product(call: Call, left: Operand, right: Operand) -> Meaning:
    if left.spec is None or right.spec is None:
        raise UnknownShape(call.name)
    if right.stored is not None and left.stored is None and right.spec.rank == 2:
        rows, columns = right.spec.shape
        if left.spec.rank > 1:
            check_fit("features", left.spec.shape[-1], rows)
            return Meaning(ops.Linear(columns, bias=False), (left,), (right,))
    return Meaning(ops.MatMul(), (left, right))
