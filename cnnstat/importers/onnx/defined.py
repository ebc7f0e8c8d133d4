"""ONNX operators whose work has a definition in ``cnnstat.ops.definitions``, as PyTorch's have.

A line says which definition, and how its arguments are read, by PyTorch's names. Operands are read
where they are tensors of the model: the first ``data`` of them always, others where their elements
are not known.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from cnnstat import ops
from cnnstat.importers.onnx.call import (
    Call,
    Meaning,
    Operand,
    Rule,
    UnknownShape,
    check_axis,
    is_weight,
)
from cnnstat.importers.onnx.maps import global_norm, windowed
from cnnstat.importers.onnx.moves import Keeps, no_arguments
from cnnstat.importers.onnx.shapes import inferred, unknown_work
from cnnstat.importers.onnx.windows import axes_of, pads_of
from cnnstat.ir.op import Arguments, Op, OpError, Specs
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops.pointwise import broadcast

Results = Callable[[Call], Specs]
"""The specs of the results."""


def _reads(call: Call, data: int) -> tuple[Operand, ...]:
    pairs = enumerate(call.operands)
    return tuple(
        each
        for number, each in pairs
        if each is not None and (number < data or each.value is None or is_weight(each))
    )


def same(call: Call) -> Specs:
    """Return the first input's spec."""
    return (call.spec(),)


def mixed(call: Call) -> Specs:
    """Return the shape to which all inputs broadcast."""
    shapes = [call.shape(number) for number, each in enumerate(call.operands) if each is not None]
    return (TensorSpec(broadcast(*shapes), call.spec().dtype),)


def defined(
    kind: str, keeps: Keeps = no_arguments, *, data: int = 1, results: Results = inferred
) -> Rule:
    """Return the rule of an operator with a definition of its work."""

    def rule(call: Call) -> Meaning:
        op = ops.Function(kind, results(call), keeps(call), (), call.op_type)
        return Meaning(op, _reads(call, data))

    return rule


def moved(kind: str, results: Results = inferred) -> Rule:
    """Return the rule of an operator that moves elements, or looks them up, without arithmetic."""

    def rule(call: Call) -> Meaning:
        return Meaning(ops.Rearrange(kind, results(call)), _reads(call, 1))

    return rule


def axis_of(usual: int) -> Keeps:
    """Return the reader of the one axis that an attribute names."""
    return lambda call: (("dim", check_axis(call.integer("axis", usual), len(call.shape()))),)


def hardmax(call: Call) -> Meaning:
    """Read 1 for the largest element of each row; before opset 13 a row was all axes from one."""
    shape, old = call.shape(), call.opset < 13
    axis = check_axis(call.integer("axis", 1 if old else -1), max(len(shape), 1))
    if old and prod(shape[axis + 1 :]) > 1:
        return unknown_work(call, call.spec())
    op = ops.Function("hardmax", (call.spec(),), (("dim", axis),), (), call.op_type)
    return Meaning(op, (call.required(0),))


def _norm(call: Call) -> Arguments:
    return (*axis_of(-1)(call), ("p", call.integer("p", 2)))


def _rotated(call: Call) -> Arguments:
    """Return how many elements are rotated: the first features of each head, all unless said."""
    shape = call.shape()
    width = shape[-1] if len(shape) == 4 else shape[-1] // max(call.integer("num_heads", 1), 1)
    part = call.integer("rotary_embedding_dim", 0) or width
    return (("rotated", call.spec().numel // max(width, 1) * part),)


def _loss(call: Call) -> Arguments:
    how = {"none": 0, "mean": 1, "sum": 2}[call.text("reduction", "mean")]
    weighted = call.operand(2) is not None
    return (("reduction", how), ("targets", call.spec(1).numel), ("weighted", weighted))


def _optimised(call: Call) -> Arguments:
    return (("tensors", (len(call.operands) - 2) // (STATES[call.op_type] + 1)),)


STATES = {"Adagrad": 2, "Adam": 3, "Momentum": 2}
"""Of each optimiser the tensors beside a parameter: its gradient, and what it remembers."""


def _attention(call: Call) -> Arguments:
    return (
        ("softcap", call.number("softcap", 0.0) or 0.0),
        ("masked", call.operand(3) is not None),
    )


def _attended(call: Call) -> Specs:
    """Return what attention gives, its caches, and its scores.

    [b, q heads, lq, d] x [b, kv heads, lk, d] x [b, kv heads, lk, dv] -> [b, q heads, lq, dv]; maps
    of three axes have their heads side by side in the last.
    """
    q, k, v = (call.shape(number) for number in range(3))
    flat = len(q) == 3
    heads = call.integer("q_num_heads", 1) if flat else q[1]
    shared = call.integer("kv_num_heads", heads) if flat else k[1]
    if not heads or not shared:
        raise OpError("the number of heads is 0")
    batch, queries, keys = q[0], q[-2], k[-2]
    if call.operand(4) is not None:
        keys += call.shape(4)[-2]
    width, value_width = (k[-1] // shared, v[-1] // shared) if flat else (k[-1], v[-1])
    made = (batch, queries, heads * value_width) if flat else (batch, heads, queries, value_width)
    past = (batch, shared, keys, width), (batch, shared, keys, value_width)
    shapes = (made, *past, (batch, heads, queries, keys))
    return tuple(TensorSpec(shape, call.spec().dtype) for shape in shapes)


def _convolved(call: Call) -> Arguments:
    active = call.text("activation", "none") != "none"
    bias = call.operand(2) is not None
    return (("taps", call.shape(1)[-1]), ("bias", bias), ("activation", active))


def _top_k(call: Call) -> Arguments:
    k = call.ints("k", 1) or (1,)
    return (("k", k[0]), *axis_of(-1)(call))


def grid_sample(call: Call) -> Meaning:
    """Read maps at the positions of a grid."""
    modes = {"nearest": 1, "cubic": 2, "bicubic": 2}
    keeps = (("interpolation_mode", modes.get(call.text("mode", "linear"), 0)),)
    rank = len(call.shape()) - 2
    if rank not in (2, 3):
        return unknown_work(call)
    op = ops.Function(f"grid_sampler_{rank}d", inferred(call), keeps, (), call.op_type)
    return Meaning(op, (call.required(0), call.required(1)))


def _regions(call: Call) -> Arguments:
    return (
        ("sampling_ratio", call.integer("sampling_ratio", 0)),
        ("mode", call.text("mode", "avg")),
    )


def deformable_convolution(call: Call) -> Meaning:
    """Read a deformable convolution of maps."""
    out, _, *kernel = call.shape(1)
    if len(kernel) != 2:
        return unknown_work(call)
    bias, mask = call.operand(3), call.operand(4)
    op = ops.DeformConv2d(
        out,
        tuple(kernel),
        axes_of(call, "strides", 2),
        tuple(before if before == after else (before, after) for before, after in pads_of(call, 2)),
        axes_of(call, "dilations", 2),
        call.integer("group", 1),
        bias is not None,
    )
    masks = () if mask is None else (mask,)
    weights = (call.required(1),) if bias is None else (call.required(1), bias)
    return Meaning(op, (call.required(0), call.required(2), *masks), weights)


def fold(call: Call) -> Meaning:
    """Read patches that are put back on maps."""
    image, block = call.ints("image_shape", 1) or (), call.ints("block_shape", 2) or ()
    sides = pads_of(call, len(image))
    if len(image) != 2 or any(before != after for before, after in sides):
        op: Op = ops.Function("overlap_add", inferred(call), (), (), call.op_type)
        return Meaning(op, _reads(call, 1))
    padding = tuple(before for before, _ in sides)
    strides, dilations = axes_of(call, "strides", 2), axes_of(call, "dilations", 2)
    return Meaning(ops.Fold(image, block, strides, padding, dilations), (call.required(0),))


def _transform(call: Call) -> Arguments:
    """Return the axis and the length of a transform."""
    (made,) = inferred(call)
    shape = call.shape()
    axis = call.integer("axis", 1) if call.opset < 20 else -2
    named = call.operand(2)
    if named is not None and named.value is not None:
        axis = int(named.value.reshape(-1)[0])
    axis = check_axis(axis, len(shape))
    half = call.integer("onesided", 0) and not call.integer("inverse", 0)
    length = call.operand(1)
    known = None if length is None or length.value is None else int(length.value.reshape(-1)[0])
    whole = shape[axis] if half else made.shape[axis]
    return (("dim", axis), ("length", whole if known is None else known))


def _frames(call: Call) -> Arguments:
    return (("frame", _frame(call)), ("windowed", call.operand(2) is not None))


def _frame(call: Call) -> int:
    return (call.ints("", 3) or (1,))[0] if call.operand(2) is None else call.spec(2).numel


def _boxes(call: Call) -> Arguments:
    batch, count, _ = call.shape(0)
    return (("groups", batch * call.shape(1)[1]), ("boxes", count))


def unique(call: Call) -> Meaning:
    """Read the distinct elements, or slices of an axis, in order."""
    axis = call.attributes.get("axis")
    dim: Arguments = () if axis is None else (("dim", check_axis(axis, len(call.shape()))),)
    kind = "_unique2" if axis is None else "unique_dim"
    op = ops.Function(kind, inferred(call), dim, (), call.op_type)
    return Meaning(op, (call.required(0),))


def scattered(call: Call) -> Meaning:
    """Read updates that join what is at their places, or replace it."""
    how = call.text("reduction", "none")
    if how == "none":
        return Meaning(ops.Rearrange("scatter", (call.spec(),)), (call.required(0),))
    keeps = (("reduce", how), ("elements", call.spec(2).numel))
    op = ops.Function("scatter_reduce", (call.spec(),), keeps, (), call.op_type)
    return Meaning(op, _reads(call, 1))


def _terms(call: Call) -> Arguments:
    return (("terms", len(call.operands)),)


def text(call: Call) -> Meaning:
    """Read a comparison or a concatenation of texts, an element type that no dtype stands for."""
    (made,) = mixed(call)
    dtype = "bool" if call.op_type == "RegexFullMatch" else made.dtype
    return unknown_work(call, TensorSpec(made.shape, dtype))


def threshold(call: Call) -> Meaning:
    """Read x above a limit and 0 below it."""
    limit = call.number("alpha", 1.0)
    return Meaning(ops.Nonlinearity("Threshold", (limit or 0.0, 0.0)), (call.required(0),))


def _row_norm(call: Call) -> Arguments:
    """Return how rows are divided by their largest, their sum of absolute values, their length."""
    p = {"MAX": 0, "L1": 1, "L2": 2}[call.text("norm", "MAX")]
    return (("dim", len(call.shape()) - 1), ("p", p))


def _real(call: Call) -> Specs:
    return (TensorSpec(call.shape(), "float32"),)


def _whole(call: Call) -> Arguments:
    return (("dim", call.ints("axes") or (0, 2, 3)),)


def unreduced(call: Call) -> Meaning | None:
    """Read a reduction over no axes, which leaves what it reads as it is."""
    if call.ints("axes", 1) or not call.integer("noop_with_empty_axes", 0):
        return None
    return Meaning(ops.View("view", (call.spec(),)), (call.required(0),))


def _frames_of(call: Call) -> Specs:
    """Return (n, frames, frequencies, 2); onnx takes both halves of the spectrum for usual."""
    n, length = call.shape()[:2]
    step, frame = (call.ints("", 1) or (1,))[0], _frame(call)
    if step < 1 or frame > length:
        raise OpError(f"frames of {frame} elements, {step} apart, are not in {length}")
    bins = frame // 2 + 1 if call.integer("onesided", 1) else frame
    return (TensorSpec((n, (length - frame) // step + 1, bins, 2), call.spec().dtype),)


def _compressed(call: Call) -> Specs:
    """Return the elements that a known condition keeps."""
    condition = call.required(1).value
    if condition is None:
        raise UnknownShape(call.required(1).name)
    shape, axis = list(call.shape()), call.attributes.get("axis")
    if axis is None:
        shape = [0]
    shape[check_axis(axis or 0, len(shape))] = int(condition.sum())
    return (TensorSpec(tuple(shape), call.spec().dtype),)


ALL = 1 << 16
"""More inputs than an operator has."""

UNARY = ("asin", "acos", "atan", "sinh", "cosh", "tan", "asinh", "acosh", "atanh")

DEFINED: dict[str, Rule] = {
    **{name.capitalize(): defined(name, results=same) for name in UNARY},
    **{
        name: defined("bitwise", data=2, results=mixed)
        for name in ("BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitShift", "BitwiseNot")
    },
    "IsNaN": defined("isnan"),
    "IsInf": defined("isinf"),
    "Shrink": defined("shrink", results=same),
    "ThresholdedRelu": threshold,
    "Hardmax": hardmax,
    "LpNormalization": defined("lp_normalization", _norm, results=same),
    "MeanVarianceNormalization": defined("mean_variance_normalization", _whole, results=same),
    "RotaryEmbedding": defined("rotary_embedding", _rotated, results=same),
    "NegativeLogLikelihoodLoss": defined("nll_loss_forward", _loss, data=2),
    "SoftmaxCrossEntropyLoss": defined("softmax_cross_entropy", _loss, data=2),
    "HannWindow": defined("hann", data=0),
    "HammingWindow": defined("hamming", data=0),
    "BlackmanWindow": defined("blackman", data=0),
    "MelWeightMatrix": defined("mel_weight_matrix", data=0),
    **{name: defined(name.lower(), _optimised, data=ALL) for name in STATES},
    "Attention": defined("attention", _attention, data=3, results=_attended),
    "CausalConvWithState": defined("causal_convolution", _convolved, data=2),
    "TopK": defined("topk", _top_k),
    "GridSample": grid_sample,
    "AffineGrid": defined("affine_grid_generator"),
    "RoiAlign": defined("roi_align", _regions, data=2),
    "MaxRoiPool": defined("roi_pool", data=2),
    "DeformConv": deformable_convolution,
    "DFT": defined("discrete_fourier", _transform),
    "STFT": defined("short_time_fourier", _frames, results=_frames_of),
    "Det": defined("_linalg_det"),
    "SwiGLU": defined("swiglu", data=2, results=mixed),
    "LpPool": windowed("lp_pool"),
    "AveragePool": windowed("dilated_avg_pool"),
    "MaxPool": windowed("max_pool"),
    "GlobalLpPool": global_norm,
    "Sum": defined("elementwise_sum", _terms, data=ALL, results=mixed),
    "Mean": defined("elementwise_mean", _terms, data=ALL, results=mixed),
    "Max": defined("elementwise_extreme", _terms, data=ALL, results=mixed),
    "Min": defined("elementwise_extreme", _terms, data=ALL, results=mixed),
    "NonMaxSuppression": defined("nms", _boxes, data=2),
    "NonZero": defined("nonzero"),
    "Unique": unique,
    "Binarizer": defined("binarizer", results=same),
    "Imputer": defined("imputer", results=same),
    "Scaler": defined("scaler", results=_real),
    "Normalizer": defined("lp_normalization", _row_norm, results=_real),
    "BitCast": moved("bit_cast"),
    "ScatterElements": scattered,
    "ScatterND": scattered,
    "TensorScatter": moved("scatter", same),
    "Scatter": moved("scatter", same),
    "CenterCropPad": moved("center_crop_pad"),
    "Compress": moved("compress", _compressed),
    "LabelEncoder": moved("label_encoder", same),
    "ArrayFeatureExtractor": moved("gather"),
    "Multinomial": moved("multinomial"),
    "Col2Im": fold,
    **dict.fromkeys(("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"), unreduced),
    **dict.fromkeys(("LSTM", "GRU", "RNN", "FlexAttention"), unknown_work),
    **dict.fromkeys(("LinearAttention", "TfIdfVectorizer", "TreeEnsemble"), unknown_work),
    **dict.fromkeys(("RegexFullMatch", "StringConcat"), text),
}
"""Operators by name; the rules of ``table.RULES`` come first."""
