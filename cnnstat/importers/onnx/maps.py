"""Rules of ONNX operators without weights: pooling, activations, arithmetic, reductions."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from cnnstat import ops
from cnnstat.importers.onnx.call import (
    Call,
    Meaning,
    Operand,
    Rule,
    UnknownShape,
    check_axis,
    plain,
)
from cnnstat.importers.onnx.shapes import inferred, unknown_work
from cnnstat.importers.onnx.windows import axes_of, pads_of, window_of
from cnnstat.ir.op import Arguments, Op, OpError
from cnnstat.ir.tensor import UNKNOWN, TensorSpec
from cnnstat.ir.window import windows

MAX_POOLS = {1: ops.MaxPool1d, 2: ops.MaxPool2d, 3: ops.MaxPool3d}
AVG_POOLS = {1: ops.AvgPool1d, 2: ops.AvgPool2d, 3: ops.AvgPool3d}
GLOBAL_POOLS: dict[tuple[str, int], Op] = {
    ("mean", 1): ops.AdaptiveAvgPool1d((1,)),
    ("mean", 2): ops.GlobalAvgPool2d(),
    ("mean", 3): ops.AdaptiveAvgPool3d((1, 1, 1)),
    ("max", 1): ops.AdaptiveMaxPool1d((1,)),
    ("max", 2): ops.AdaptiveMaxPool2d((1, 1)),
    ("max", 3): ops.AdaptiveMaxPool3d((1, 1, 1)),
}
"""Poolings by number of axes."""


def unary(op: Op) -> Rule:
    """Return the rule of an operator of one tensor."""

    def rule(call: Call) -> Meaning:
        return Meaning(op, (call.required(0),))

    return rule


def nonlinearity(kind: str) -> Rule:
    """Return the rule of a nonlinearity of that name."""
    return unary(ops.Nonlinearity(kind))


def numbered(kind: str, attribute: str, usual: float) -> Rule:
    """Return the rule of a nonlinearity with a number of its own, by the attribute's name."""

    def rule(call: Call) -> Meaning:
        number = call.number(attribute, usual)
        own = () if number is None or number == usual else (number,)
        return Meaning(ops.Nonlinearity(kind, own), (call.required(0),))

    return rule


def clip(call: Call) -> Meaning:
    """Read a clipping: ReLU6 between 0 and 6, Hardtanh between -1 and 1, else a clamp."""
    low, high = call.number("min", -math.inf, 1), call.number("max", math.inf, 2)
    if (low, high) in ((0, 6), (-1, 1)):
        return Meaning(ops.Nonlinearity("Hardtanh" if low else "ReLU6"), (call.required(0),))
    if (low, high) == (0, math.inf):
        return Meaning(ops.ReLU(), (call.required(0),))
    limits = (("min", low), ("max", high))
    numbers = tuple((name, n) for name, n in limits if n is not None and math.isfinite(n))
    return Meaning(ops.Pointwise("clamp", None, numbers), (call.required(0),))


def softmax(call: Call) -> Meaning:
    """Read a softmax along one axis; before opset 13 over all axes from one on, seen as one."""
    old, shape = call.opset < 13, call.shape()
    stated = call.integer("axis", 1 if old else -1)
    axis = check_axis(stated, max(len(shape), 1))
    if old and math.prod(shape[axis + 1 :]) > 1:
        dtype = call.spec().dtype
        rows = TensorSpec((math.prod(shape[:axis]), math.prod(shape[axis:])), dtype)
        before = ((0, "flatten", ops.View("reshape", (rows,))),)
        after = ((0, "reshape", ops.View("reshape", (TensorSpec(shape, dtype),))),)
        return Meaning(_softmax(call, 1), (call.required(0),), (), before, after)
    return Meaning(_softmax(call, stated), (call.required(0),))


def _softmax(call: Call, axis: int) -> Op:
    if call.op_type == "LogSoftmax":
        return ops.LogSoftmax(axis)
    return ops.Softmax(axis)


LRN = {"alpha": 1e-4, "beta": 0.75, "bias": 1.0}
"""Numbers of a local response normalisation unless it says others."""


def local_response_norm(call: Call) -> Meaning:
    """Read a local response normalisation."""
    op = ops.LocalResponseNorm(
        call.integer("size", 1),
        *(plain(call.attributes.get(name, usual)) for name, usual in LRN.items()),
    )
    return Meaning(op, (call.required(0),))


def dropout(call: Call) -> Meaning:
    """Read a dropout, which passes its input on in inference."""
    ratio = call.number("ratio", 0.5, 1)
    mask = TensorSpec(call.shape(), "bool" if call.opset > 9 else call.spec().dtype)
    op = ops.Dropout(0.5 if ratio is None else ratio)
    return Meaning(op, (call.required(0),), extras=((1, "mask", mask),))


def max_pool(call: Call) -> Meaning | None:
    """Read a max-pooling of 1, 2 or 3 axes."""
    kernel = call.ints("kernel_shape") or ()
    place = window_of(call, kernel, pooling=True)
    kind = MAX_POOLS.get(len(kernel))
    if kind is None:
        return None
    ceil = bool(call.integer("ceil_mode", 0))
    both = len(call.results) > 1 and bool(call.results[1])
    op = kind(kernel, place.stride, place.padding, ceil, both, place.dilation)
    return Meaning(op, (call.required(0),), (), place.before)


def average_pool(call: Call) -> Meaning | None:
    """Read a mean-pooling of 1, 2 or 3 axes; with dilation there is none in PyTorch."""
    kernel = call.ints("kernel_shape") or ()
    place = window_of(call, kernel, pooling=True)
    kind = AVG_POOLS.get(len(kernel))
    if kind is None or set(place.dilation) != {1}:
        return None
    ceil = bool(call.integer("ceil_mode", 0))
    whole = bool(call.integer("count_include_pad", 0))
    op = kind(kernel, place.stride, place.padding, ceil, whole)
    return Meaning(op, (call.required(0),), (), place.before)


def subsampling(call: Call) -> Meaning:
    """Read LeNet's subsampling: a mean-pooling whose maps are scaled and shifted."""
    op = ops.Subsampling(call.ints("kernel_shape") or ())
    return Meaning(op, (call.required(0),), call.present[1:3])


def scaled_tanh(call: Call) -> Meaning:
    """Read LeNet's amplitude * tanh(slope * x)."""
    amplitude, slope = (plain(each.value.reshape(-1)[0]) for each in call.present[1:3])
    return Meaning(ops.ScaledTanh(amplitude, slope), (call.required(0),))


def global_pool(kind: str) -> Rule:
    """Return the rule of a pooling of whole maps."""

    def rule(call: Call) -> Meaning:
        rank = len(call.shape())
        if rank < 3:
            raise OpError("it needs at least 3 axes (batch, channels, spatial)")
        op = GLOBAL_POOLS.get((kind, rank - 2)) or ops.Reduce(kind, tuple(range(2, rank)), True)
        return Meaning(op, (call.required(0),))

    return rule


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


def max_unpool(call: Call) -> Meaning:
    """Read an unpooling of maps; input 3 is the tensor that was pooled, where that is known.

    A size other than the usual one is taken from that tensor.
    """
    kernel, shape = call.ints("kernel_shape") or (), call.shape()
    rank = len(kernel)
    stride, sides = axes_of(call, "strides", rank), pads_of(call, rank)
    usual = [(n - 1) * s + k for n, s, k in zip(shape[2:], stride, kernel, strict=True)]
    made = tuple(n - before - after for n, (before, after) in zip(usual, sides, strict=True))
    stated = call.ints("output_shape", 2)
    wanted = made if stated is None else stated[2:]
    reads = (call.required(0), call.required(1))
    like = call.operand(3)
    if rank == 2:
        op = ops.MaxUnpool2d(kernel, stride, tuple(before for before, _ in sides))
        if all(n - 2 * side[0] == out for n, side, out in zip(usual, sides, wanted, strict=True)):
            return Meaning(op, reads)
        if like is not None and like.spec is not None and like.spec.shape[2:] == wanted:
            return Meaning(op, (*reads, like))
    return unknown_work(call, TensorSpec((*shape[:2], *wanted), call.spec().dtype))


def is_number(operand: Operand) -> bool:
    """Return whether an operand is a lone number of the formula, not a tensor."""
    stored = operand.stored
    if stored is not None and stored.spec.rank == 0:
        return True
    known = operand.value
    return known is not None and known.size == 1 and (stored is None or stored.constant)


def numbers_of(call: Call, *names: str) -> Arguments:
    """Return the operands that are lone numbers, by PyTorch's names of the operands."""
    pairs = zip(names, call.present, strict=False)
    known = [(name, each.value) for name, each in pairs if is_number(each)]
    return tuple((name, plain(v.reshape(-1)[0])) for name, v in known if v is not None)


def pointwise(kind: str, dtype: str | None = None) -> Rule:
    """Return the rule of elementwise arithmetic; numbers are not operands."""

    def rule(call: Call) -> Meaning | None:
        reads = tuple(each for each in call.present if not is_number(each))
        if len(call.present) not in ((3,) if kind == "where" else (2,)):
            return None
        shapes = {call.spec(i).shape for i, _ in enumerate(call.operands)}
        computed = all(each.stored is None for each in reads)
        if kind == "add" and computed and len(reads) == 2 and len(shapes) == 1:
            return Meaning(ops.Add(), reads)
        if not reads:
            return None
        made = dtype
        if kind == "where":
            made = call.spec(1).dtype
        elif kind == "sub" and reads[0] is not call.required(0):
            return Meaning(ops.Pointwise("rsub", None, numbers_of(call, "other", "self")), reads)
        names = {"pow": ("self", "exponent"), "where": ("condition", "self", "other")}
        numbers = numbers_of(call, *names.get(kind, ("self", "other")))
        return Meaning(ops.Pointwise(kind, made, numbers), reads)

    return rule


def joined(op: Op, kind: str | None = None) -> Rule:
    """Return the rule of an operator of any number of tensors of one shape."""

    def rule(call: Call) -> Meaning | None:
        shapes = [call.shape(i) for i, _ in enumerate(call.operands)]
        if len(set(shapes)) == 1 and len(shapes) > 1:
            return Meaning(op, call.present)
        return pointwise(kind)(call) if kind else None

    return rule


def reduce(kind: str) -> Rule:
    """Return the rule of a reduction of that kind."""

    def rule(call: Call) -> Meaning | None:
        axes = call.ints("axes", 1)
        if not axes and call.integer("noop_with_empty_axes", 0):
            return None
        over = ops.Reduce(kind, axes or (), bool(call.integer("keepdims", 1)))
        return Meaning(over, (call.required(0),))

    return rule


def extreme(kind: str) -> Rule:
    """Return the rule of the position of an extreme along one axis."""

    def rule(call: Call) -> Meaning:
        keepdims = bool(call.integer("keepdims", 1))
        return Meaning(ops.Reduce(kind, (call.integer("axis", 0),), keepdims), (call.required(0),))

    return rule


def running(kind: str) -> Rule:
    """Return the rule of a running sum or product."""

    def rule(call: Call) -> Meaning:
        return Meaning(ops.Reduce(kind, call.ints("axis", 1) or (0,)), (call.required(0),))

    return rule


def resize(call: Call) -> Meaning | None:
    """Read a resampling of maps: ``Upsample``, ``Resize``.

    Where the channels lie last, they go in front of the maps and back; where the batch or the
    channels change, too, only the shape is known.
    """
    shape = call.shape()
    if call.opset in (11, 12):  # they ask for a region of interest, which exporters leave out
        call = replace(call, opsets={**call.opsets, "": 13})
    (made,) = inferred(call)
    if made is UNKNOWN:
        raise UnknownShape(call.name)
    wanted, spec = _scaled(call, made.shape), call.spec()
    made = TensorSpec(wanted, made.dtype)
    if any(extent < 1 <= before for extent, before in zip(wanted, shape, strict=True)):
        raise OpError(f"it would be resized to {'x'.join(map(str, wanted))}")
    modes = {"nearest": "nearest", "linear": "linear", "cubic": "bicubic", "bilinear": "linear"}
    kind = "nearest-exact" if _rounds_exactly(call) else modes.get(call.text("mode", "nearest"), "")
    if not kind or len(shape) < 3 or wanted[0] != shape[0] or _is_cropped(call):
        return unknown_work(call, made)
    if wanted[1] == shape[1]:
        return Meaning(ops.Interpolate(wanted[2:], kind), (call.required(0),))
    if wanted[-1] != shape[-1]:
        return unknown_work(call, made)
    first = TensorSpec((shape[0], shape[-1], *shape[1:-1]), spec.dtype)
    before = ((0, "channels_first", ops.View("permute", (first,))),)
    after = ((0, "channels_last", ops.View("permute", (made,))),)
    op = ops.Interpolate(wanted[1:-1], kind)
    return Meaning(op, (call.required(0),), (), before, after)


def _scaled(call: Call, made: tuple[int, ...]) -> tuple[int, ...]:
    """Return extents times scales as runtimes round them: 0.7 of 10 is 7 in 32 bits, else 6."""
    number = 1 if call.opset < 11 or call.op_type == "Upsample" else 2
    scales = call.operand(number)
    if scales is None or scales.value is None or not scales.value.size:
        return made
    axes, shape = call.ints("axes") or range(len(made)), list(made)
    for axis, scale in zip(axes, scales.value.reshape(-1).tolist(), strict=True):
        shape[axis] = int(np.float32(call.shape()[axis]) * np.float32(scale))
    return tuple(shape)


def _is_cropped(call: Call) -> bool:
    return call.text("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize"


def _rounds_exactly(call: Call) -> bool:
    """Return whether a resampling takes the element whose centre is nearest."""
    centres = call.text("coordinate_transformation_mode", "half_pixel") == "half_pixel"
    rounded = call.text("nearest_mode", "round_prefer_floor") == "round_prefer_ceil"
    return call.text("mode", "nearest") == "nearest" and centres and rounded


def concat(call: Call) -> Meaning:
    """Read a concatenation."""
    return Meaning(ops.Concat(call.integer("axis", 1)), call.present)


def attention(call: Call) -> Meaning | None:
    """Read ONNX's own attention on (batch, heads, length, features)."""
    if len(call.results) > 1 or len(call.shape()) != 4 or call.operand(4) is not None:
        return None
    mask = call.operand(3)
    heads = call.present[:3]
    return Meaning(ops.Attention(), (*heads, mask) if mask is not None else heads)


def scaled_attention(call: Call) -> Meaning:
    """Read what ``fusing`` found: queries, keys, values, and the mask where there is one."""
    return Meaning(ops.Attention(), call.present)
