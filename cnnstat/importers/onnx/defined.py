"""ONNX operators whose work has a definition in ``cnnstat.ops.definitions``, as PyTorch's have.

A line says which definition, which results, and the arguments by PyTorch's names. Operands are read
where they are tensors of the model: the first ``data`` of them always, others where their elements
are not known.
"""

from __future__ import annotations

from math import prod

from cnnstat import ops
from cnnstat.importers.onnx import others, pooled
from cnnstat.importers.onnx.call import Call, Meaning, Operand, Rule, check_axis, is_weight
from cnnstat.importers.onnx.moves import Keeps, no_arguments
from cnnstat.importers.onnx.others import Results
from cnnstat.importers.onnx.windows import axes_of, pads_of
from cnnstat.ir.op import Arguments, OpError
from cnnstat.ir.tensor import UNKNOWN, TensorSpec
from cnnstat.ops.pointwise import broadcast


def _reads(call: Call, data: int) -> tuple[Operand, ...]:
    pairs = enumerate(call.operands)
    return tuple(
        each
        for number, each in pairs
        if each is not None and (number < data or each.value is None or is_weight(each))
    )


def defined(kind: str, results: Results, keeps: Keeps = no_arguments, *, data: int = 1) -> Rule:
    """Return the rule of an operator with a definition of its work."""

    def rule(call: Call) -> Meaning:
        op = ops.Function(kind, tuple(results(call)), keeps(call), (), call.op_type)
        return Meaning(op, _reads(call, data))

    return rule


def moved(kind: str, results: Results) -> Rule:
    """Return the rule of an operator that moves elements, or looks them up, without arithmetic."""

    def rule(call: Call) -> Meaning:
        return Meaning(ops.Rearrange(kind, tuple(results(call))), _reads(call, 1))

    return rule


def axis_of(attribute: str, usual: int) -> Keeps:
    """Return the reader of the one axis that an attribute names."""
    return lambda call: (("dim", check_axis(call.integer(attribute, usual), len(call.shape()))),)


def hardmax(call: Call) -> Meaning | None:
    """Read 1 for the largest element of each row; before opset 13 a row was all axes from one."""
    shape, old = call.shape(), call.opset < 13
    axis = check_axis(call.integer("axis", 1 if old else -1), max(len(shape), 1))
    if old and prod(shape[axis + 1 :]) > 1:
        return None
    op = ops.Function("hardmax", (call.spec(),), (("dim", axis),), (), call.op_type)
    return Meaning(op, (call.required(0),))


def _norm(call: Call) -> Arguments:
    return (*axis_of("axis", -1)(call), ("p", call.integer("p", 2)))


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
    states = {"Adagrad": 2, "Momentum": 2, "Adam": 3}[call.op_type]
    return (("tensors", (len(call.operands) - 2) // (states + 1)),)


def _attention(call: Call) -> Arguments:
    return (
        ("softcap", call.number("softcap", 0.0) or 0.0),
        ("masked", call.operand(3) is not None),
    )


def _convolved(call: Call) -> Arguments:
    active = call.text("activation", "none") != "none"
    bias = call.operand(2) is not None
    return (("taps", call.shape(1)[-1]), ("bias", bias), ("activation", active))


def _top_k(call: Call) -> Arguments:
    k = call.ints("k", 1) or (1,)
    return (("k", k[0]), *axis_of("axis", -1)(call))


def grid_sample(call: Call) -> Meaning | None:
    """Read maps at the positions of a grid."""
    modes = {"nearest": 1, "cubic": 2, "bicubic": 2}
    mode = modes.get(call.text("mode", "linear"), 0)
    rank = len(call.shape()) - 2
    if rank not in (2, 3):
        return None
    op = ops.Function(
        f"grid_sampler_{rank}d",
        tuple(others.grid_sample(call)),
        (("interpolation_mode", mode),),
        (),
        call.op_type,
    )
    return Meaning(op, (call.required(0), call.required(1)))


def _regions(call: Call) -> Arguments:
    return (
        ("sampling_ratio", call.integer("sampling_ratio", 0)),
        ("mode", call.text("mode", "avg")),
    )


def _pooled_regions(call: Call) -> list[TensorSpec]:
    height, width = call.ints("pooled_shape") or (1, 1)
    made = (call.shape(1)[0], call.shape()[1], height, width)
    return [TensorSpec(made, call.spec().dtype)]


def deformable_convolution(call: Call) -> Meaning | None:
    """Read a deformable convolution of maps."""
    out, _, *kernel = call.shape(1)
    if len(kernel) != 2:
        return None
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


def fold(call: Call) -> Meaning | None:
    """Read patches that are put back on maps of two axes."""
    image, block = call.ints("image_shape", 1) or (), call.ints("block_shape", 2) or ()
    if len(image) != 2:
        return None
    sides = pads_of(call, 2)
    if any(before != after for before, after in sides):
        return None
    padding = tuple(before for before, _ in sides)
    strides, dilations = axes_of(call, "strides", 2), axes_of(call, "dilations", 2)
    return Meaning(ops.Fold(image, block, strides, padding, dilations), (call.required(0),))


def _transform(call: Call) -> Arguments:
    """Return the axis and the length of a transform."""
    (made,) = others.fourier(call)
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
    window = call.operand(2)
    frame = (call.ints("", 3) or (1,))[0] if window is None else call.spec(2).numel
    return (("frame", frame), ("windowed", window is not None))


def _boxes(call: Call) -> Arguments:
    batch, count, _ = call.shape(0)
    return (("groups", batch * call.shape(1)[1]), ("boxes", count))


def _unknown(call: Call) -> list[TensorSpec]:
    """Return results whose shape depends on values."""
    return [UNKNOWN] * max(len(call.results), 1)


def unique(call: Call) -> Meaning:
    """Read the distinct elements, or slices of an axis, in order."""
    axis = call.attributes.get("axis")
    dim: Arguments = () if axis is None else (("dim", check_axis(axis, len(call.shape()))),)
    kind = "_unique2" if axis is None else "unique_dim"
    return Meaning(
        ops.Function(kind, tuple(_unknown(call)), dim, (), call.op_type), (call.required(0),)
    )


def _drawn(call: Call) -> list[TensorSpec]:
    dtype = "int64" if call.integer("dtype", 6) == 7 else "int32"
    return [TensorSpec((call.shape()[0], call.integer("sample_size", 1)), dtype)]


def scattered(call: Call) -> Meaning | None:
    """Read updates that join what is at their places; None where they replace it."""
    how = call.text("reduction", "none")
    if how == "none":
        return None
    keeps = (("reduce", how), ("elements", call.spec(2).numel))
    op = ops.Function("scatter_reduce", (call.spec(),), keeps, (), call.op_type)
    return Meaning(op, _reads(call, 1))


def joined(kind: str) -> Rule:
    """Return the rule of an operator of any number of tensors that broadcast."""

    def rule(call: Call) -> Meaning:
        shapes = [call.shape(number) for number, _ in enumerate(call.operands)]
        made = TensorSpec(broadcast(*shapes), call.spec().dtype)
        keeps = (("terms", len(shapes)),)
        op = ops.Function(kind, (made,), keeps, (), call.op_type)
        return Meaning(op, _reads(call, len(shapes)))

    return rule


def single(call: Call) -> Meaning | None:
    """Read the extreme of one tensor, which is that tensor."""
    return joined("elementwise_extreme")(call) if len(call.operands) == 1 else None


def threshold(call: Call) -> Meaning:
    """Read x above a limit and 0 below it."""
    limit = call.number("alpha", 1.0)
    return Meaning(ops.Nonlinearity("Threshold", (limit or 0.0, 0.0)), (call.required(0),))


def normalizer(call: Call) -> Meaning:
    """Read rows divided by their largest, their sum of absolute values, or their length."""
    p = {"MAX": 0, "L1": 1, "L2": 2}[call.text("norm", "MAX")]
    keeps: Arguments = (("dim", len(call.shape()) - 1), ("p", p))
    spec = TensorSpec(call.shape(), "float32")
    op = ops.Function("lp_normalization", (spec,), keeps, (), call.op_type)
    return Meaning(op, (call.required(0),))


def unreduced(call: Call) -> Meaning | None:
    """Read a reduction over no axes, which leaves what it reads as it is."""
    if call.ints("axes", 1) or not call.integer("noop_with_empty_axes", 0):
        return None
    return Meaning(ops.View("view", (call.spec(),)), (call.required(0),))


def _checked(results: Results, ranks: tuple[int, ...]) -> Results:
    """Return the same results of inputs with as many axes as these; raise ``OpError`` of others."""

    def check(call: Call) -> list[TensorSpec]:
        for number, rank in enumerate(ranks):
            if len(call.shape(number)) != rank:
                raise OpError(f"input {number} needs {rank} axes")
        return list(results(call))

    return check


UNARY = ("asin", "acos", "atan", "sinh", "cosh", "tan", "asinh", "acosh", "atanh")

DEFINED: dict[str, Rule] = {
    **{name.capitalize(): defined(name, others.same) for name in UNARY},
    **{
        name: defined("bitwise", others.mixed, data=2)
        for name in ("BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitShift")
    },
    "BitwiseNot": defined("bitwise", others.same),
    "IsNaN": defined("isnan", others.as_bool),
    "IsInf": defined("isinf", others.as_bool),
    "Shrink": defined("shrink", others.same),
    "ThresholdedRelu": threshold,
    "Hardmax": hardmax,
    "LpNormalization": defined("lp_normalization", others.same, _norm),
    "MeanVarianceNormalization": defined(
        "mean_variance_normalization",
        others.same,
        lambda call: (("dim", call.ints("axes") or (0, 2, 3)),),
    ),
    "RotaryEmbedding": defined("rotary_embedding", others.same, _rotated),
    "NegativeLogLikelihoodLoss": defined("nll_loss_forward", others.loss, _loss, data=2),
    "SoftmaxCrossEntropyLoss": defined("softmax_cross_entropy", others.loss, _loss, data=2),
    "HannWindow": defined("hann", others.window_function, data=0),
    "HammingWindow": defined("hamming", others.window_function, data=0),
    "BlackmanWindow": defined("blackman", others.window_function, data=0),
    "MelWeightMatrix": defined("mel_weight_matrix", others.mel_weights, data=0),
    **{
        name: defined(name.lower(), others.optimizer_step, _optimised, data=99)
        for name in ("Adagrad", "Adam", "Momentum")
    },
    "Attention": defined("attention", others.attention, _attention, data=3),
    "CausalConvWithState": defined(
        "causal_convolution", others.causal_convolution, _convolved, data=2
    ),
    "TopK": defined("topk", others.top_k, _top_k),
    "GridSample": grid_sample,
    "AffineGrid": defined("affine_grid_generator", others.affine_grid),
    "RoiAlign": defined("roi_align", others.roi_align, _regions, data=2),
    "MaxRoiPool": defined("roi_pool", _pooled_regions, data=2),
    "DeformConv": deformable_convolution,
    "DFT": defined("discrete_fourier", others.fourier, _transform),
    "STFT": defined("short_time_fourier", others.short_fourier, _frames),
    "Det": defined("_linalg_det", others.determinant),
    "SwiGLU": defined("swiglu", others.swiglu, data=2),
    "LpPool": pooled.windowed("lp_pool"),
    "AveragePool": pooled.windowed("dilated_avg_pool"),
    "MaxPool": pooled.windowed("max_pool"),
    "GlobalLpPool": pooled.global_norm,
    "Sum": joined("elementwise_sum"),
    "Mean": joined("elementwise_mean"),
    "Max": joined("elementwise_extreme"),
    "Min": joined("elementwise_extreme"),
    "NonMaxSuppression": defined("nms", _checked(_unknown, (3, 3)), _boxes, data=2),
    "NonZero": defined("nonzero", _unknown),
    "Unique": unique,
    "Binarizer": defined("binarizer", others.same),
    "Imputer": defined("imputer", others.same),
    "Scaler": defined("scaler", lambda call: [TensorSpec(call.shape(), "float32")]),
    "Normalizer": normalizer,
    "BitCast": moved("bit_cast", others.bit_cast),
    "TensorScatter": moved("scatter", others.same),
    "Scatter": moved("scatter", others.same),
    "CenterCropPad": moved("center_crop_pad", others.centre_cropped),
    "Compress": moved("compress", others.compressed),
    "LabelEncoder": moved("label_encoder", others.same),
    "ArrayFeatureExtractor": moved("gather", others.features),
    "Multinomial": moved("multinomial", _drawn),
    "Col2Im": defined("overlap_add", others.patches),
    **dict.fromkeys(("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"), unreduced),
}
"""Operators by name; the rules of ``table.RULES`` come first."""

FIRST: dict[str, Rule] = {
    **dict.fromkeys(("ScatterElements", "ScatterND"), scattered),
    **dict.fromkeys(("Max", "Min"), single),
    "Col2Im": fold,
}
"""Rules that come before those of ``table.RULES``, which do not know these forms."""
