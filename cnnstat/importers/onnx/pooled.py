"""ONNX poolings that no layer stands for: by a norm, with dilation, of more than three axes."""

from __future__ import annotations

from cnnstat import ops
from cnnstat.importers.onnx.call import Call, Meaning, Rule
from cnnstat.importers.onnx.windows import window_of
from cnnstat.ir.op import Arguments, Op
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import windows


def global_norm(call: Call) -> Meaning:
    """Read the norm of whole maps."""
    shape, p = call.shape(), call.integer("p", 2)
    axes = tuple(range(2, len(shape)))
    if p in (1, 2):
        op: Op = ops.Reduce("l1" if p == 1 else "norm", axes, True)
        return Meaning(op, (call.required(0),))
    made = TensorSpec((*shape[:2], *(1 for _ in axes)), call.spec().dtype)
    op = ops.Function("vector_norm", (made,), (("ord", p), ("dim", axes)), (), call.op_type)
    return Meaning(op, (call.required(0),))


def windowed(kind: str) -> Rule:
    """Return the rule of windows that no layer has: of a norm, with dilation, of four axes."""

    def rule(call: Call) -> Meaning:
        kernel = call.ints("kernel_shape") or ()
        place = window_of(call, kernel, pooling=kind != "lp_pool")
        padded = call.spec()
        for _, _, op in place.before:
            (padded,) = op.infer((padded,))
        extents, ceil = padded.shape[2:], bool(call.integer("ceil_mode", 0))
        over = windows(extents, kernel, place.stride, place.padding, place.dilation, ceil)
        made = [window.out(n) for window, n in zip(over, extents, strict=True)]
        spec = TensorSpec((*call.shape()[:2], *made), call.spec().dtype)
        sides: Arguments = (
            ("kernel", kernel),
            ("stride", place.stride),
            ("before", tuple(window.before for window in over)),
            ("after", tuple(window.after for window in over)),
            ("dilation", place.dilation),
            ("p", call.integer("p", 2)),
        )
        results = (spec,) * max(len(call.results), 1)
        function = ops.Function(kind, results, sides, (), call.op_type)
        return Meaning(function, (call.required(0),), (), place.before)

    return rule
