"""Rules of ONNX operators with weights, one for each kind."""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose

from cnnstat import ops
from cnnstat.importers.onnx.call import Call, Meaning, Operand, Rule, check_axis
from cnnstat.importers.onnx.shapes import unknown_work
from cnnstat.importers.onnx.windows import axes_of, pads_of, window_of
from cnnstat.ir.op import Op, OpError
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import Window, paired
from cnnstat.ops.layer_norm import SMALLEST_STEP
from cnnstat.ops.pointwise import broadcast


def check_fit(what: str, actual: int, wanted: int) -> None:
    """Raise ``OpError`` where inputs have another extent than the weights ask for."""
    if actual != wanted:
        raise OpError(f"{what} (={actual}) must be {wanted}, as its weights have it")


def _present(*operands: Operand | None) -> tuple[Operand, ...]:
    return tuple(each for each in operands if each is not None)


def convolution(call: Call) -> Meaning | None:
    """Read a convolution of 1, 2 or 3 axes."""
    return convolution_of(call, 1, call.operand(2))


def convolution_of(call: Call, kernel_at: int, bias: Operand | None) -> Meaning | None:
    """Read a convolution whose kernel is this input."""
    weight = call.required(kernel_at)
    out, per_group, *kernel = call.shape(kernel_at)
    groups = call.integer("group", 1)
    place = window_of(call, tuple(kernel))
    _check_kernel(call, kernel)
    check_fit("channels", call.shape()[1], per_group * groups)
    kind = {1: ops.Conv1d, 2: ops.Conv2d, 3: ops.Conv3d}.get(len(kernel))
    if kind is None:
        return None
    op = kind(out, place.kernel, place.stride, place.padding, place.dilation, groups, bool(bias))
    return Meaning(op, (call.required(0),), _present(weight, bias), place.before)


def _check_kernel(call: Call, kernel: Sequence[int]) -> None:
    stated = call.ints("kernel_shape")
    if stated is not None and list(stated) != list(kernel):
        raise OpError(f"kernel_shape (={stated}) must be {tuple(kernel)}, as its weights have it")


TRANSPOSED = {1: ops.ConvTranspose1d, 2: ops.ConvTranspose2d, 3: ops.ConvTranspose3d}
"""Transposed convolutions by their spatial axes."""


def transposed_convolution(call: Call) -> Meaning:
    """Read a transposed convolution of 1, 2 or 3 axes."""
    weight, bias = call.required(1), call.operand(2)
    channels, per_group, *kernel = call.shape(1)
    rank = len(kernel)
    check_fit("channels", call.shape()[1], channels)
    _check_kernel(call, kernel)
    groups = call.integer("group", 1)
    stride, dilation = axes_of(call, "strides", rank), axes_of(call, "dilations", rank)
    sides, output_padding = _transposed_sides(call, tuple(kernel))
    limits = [max(pair) for pair in zip(stride, dilation, strict=True)]
    wide = any(e >= most for e, most in zip(output_padding, limits, strict=True))
    if rank not in TRANSPOSED or wide or any(min(side) < 0 for side in sides):
        axes = zip(call.shape()[2:], kernel, stride, sides, dilation, output_padding, strict=True)
        made = [Window(k, s, b, a, d).transposed_out(n, e) for n, k, s, (b, a), d, e in axes]
        spec = TensorSpec((call.shape()[0], per_group * groups, *made), call.spec().dtype)
        return unknown_work(call, spec)
    op = TRANSPOSED[rank](
        per_group * groups,
        tuple(kernel),
        stride,
        paired(sides),
        dilation,
        output_padding,
        groups,
        bool(bias),
    )
    return Meaning(op, (call.required(0),), _present(weight, bias))


def _transposed_sides(
    call: Call, kernel: tuple[int, ...]
) -> tuple[list[tuple[int, int]], tuple[int, ...]]:
    """Return pads and output padding of a transposed convolution.

    They are worked out where its output is stated: what is beyond it is cut off on both sides, what
    is missing comes after it.
    """
    auto, wanted = call.text("auto_pad", "NOTSET"), call.ints("output_shape")
    rank = len(kernel)
    if wanted is None and auto in ("NOTSET", "VALID"):
        return pads_of(call, rank), call.ints("output_padding") or (0,) * rank
    extra = list(call.ints("output_padding") or (0,) * rank)
    stride, dilation = axes_of(call, "strides", rank), axes_of(call, "dilations", rank)
    sides = []
    for axis, n in enumerate(call.shape()[2:]):
        s = stride[axis]
        out = n * s if wanted is None else wanted[-rank:][axis]
        full = s * (n - 1) + extra[axis] + (kernel[axis] - 1) * dilation[axis] + 1
        total = max(full - out, 0)
        extra[axis] += max(out - full, 0)
        small, large = total // 2, total - total // 2
        sides.append((small, large) if auto == "SAME_UPPER" else (large, small))
    return sides, tuple(extra)


def general_product(call: Call) -> Meaning | None:
    """Read ``Gemm``: a layer where the right matrix is stored, else a product."""
    left, right, third = call.required(0), call.required(1), call.operand(2)
    shapes = call.shape(0), call.shape(1)
    if len(shapes[0]) != 2 or len(shapes[1]) != 2:
        raise OpError("it needs two matrices")
    before: list[tuple[int, str, Op]] = []
    if call.integer("transA", 0):
        before.append((0, "transpose", _transposed(call.spec(0))))
    k = shapes[0][0 if call.integer("transA", 0) else 1]
    turned = bool(call.integer("transB", 0))
    rows, columns = shapes[1][::-1] if turned else shapes[1]
    stored = right.stored is not None and right.stored.is_weight
    bias = third is not None and third.stored is not None
    flat = third is None or (third.spec is not None and third.spec.numel in (1, columns))
    if stored and flat and (bias or third is None):
        check_fit("features", k, rows)
        weights = _present(right, third if third and third.spec and third.spec.rank else None)
        op = ops.Linear(columns, len(weights) > 1)
        return Meaning(op, (left,), weights, tuple(before))
    if turned:
        before.append((1, "transpose_b", _transposed(call.spec(1))))
    return Meaning(ops.MatMul(), _present(left, right, third), (), tuple(before))


def _transposed(spec: TensorSpec) -> Op:
    turned = TensorSpec(spec.shape[::-1], spec.dtype)
    return ops.View("transpose", (turned,), (("dims", tuple(reversed(range(spec.rank)))),))


def matrix_product(call: Call) -> Meaning:
    """Read ``MatMul``: a layer where the right matrix is stored, else a product of tensors.

    A third operand is the bias that was added after it.
    """
    left, right, bias = call.required(0), call.required(1), call.operand(2)
    stored = right.stored is not None and right.stored.is_weight and not _is_stored(left)
    if stored and len(call.shape(1)) == 2 and len(call.shape(0)) > 1:
        rows, columns = call.shape(1)
        check_fit("features", call.shape()[-1], rows)
        op = ops.Linear(columns, bias is not None)
        return Meaning(op, (left,), _present(right, bias))
    return Meaning(ops.MatMul(), _present(left, right, bias))


def _is_stored(operand: Operand) -> bool:
    return operand.stored is not None


def _plain(operand: Operand | None, value: float) -> bool:
    """Return whether a constant of the exporter stands where there is no weight."""
    if operand is None:
        return True
    made = operand.stored is None or operand.stored.constant
    return made and operand.value is not None and bool((operand.value == value).all())


def _epsilon(call: Call) -> float:
    return call.number("epsilon", 1e-5) or 0.0


def batch_norm(call: Call) -> Meaning:
    """Read a batch normalisation with stored statistics; constants of 1 and 0 scale nothing."""
    check_fit("channels", call.shape()[1], call.spec(1).numel)
    affine = not (_plain(call.operand(1), 1) and _plain(call.operand(2), 0))
    weights = call.present[1 if affine else 3 : 5]
    return Meaning(ops.BatchNorm2d(affine, eps=_epsilon(call)), (call.required(0),), weights)


def instance_norm(call: Call) -> Meaning:
    """Read an instance normalisation; scales of 1 and shifts of 0 that are constants are none."""
    scale, shift = call.operand(1), call.operand(2)
    if _plain(scale, 1) and _plain(shift, 0):
        return Meaning(ops.InstanceNorm(False, _epsilon(call)), (call.required(0),))
    check_fit("channels", call.shape()[1], call.spec(1).numel)
    return Meaning(
        ops.InstanceNorm(True, _epsilon(call)), (call.required(0),), _present(scale, shift)
    )


def group_norm(call: Call) -> Meaning:
    """Read a group normalisation."""
    weights = _present(call.operand(1), call.operand(2))
    op = ops.GroupNorm(call.integer("num_groups", 1), bool(weights), _epsilon(call))
    return Meaning(op, (call.required(0),), weights)


def layer_norm(call: Call) -> Meaning:
    """Read a layer normalisation; constant scales of 1 and shifts of 0 are none."""
    rank = len(call.shape())
    axes = rank - check_axis(call.integer("axis", -1), rank)
    scale, shift = call.operand(1), call.operand(2)
    affine = not (_plain(scale, 1) and _plain(shift, 0))
    op = ops.LayerNorm(axes, affine, affine and shift is not None, _epsilon(call))
    means = TensorSpec((*call.shape()[: rank - axes], *[1] * axes), call.spec().dtype)
    extras = ((1, "mean", means), (2, "inverse_deviation", means))
    return Meaning(op, (call.required(0),), _present(scale, shift) if affine else (), extras=extras)


def rms_norm(call: Call) -> Meaning:
    """Read an RMS normalisation."""
    rank = len(call.shape())
    axes = rank - check_axis(call.integer("axis", -1), rank)
    weights = _present(call.operand(1))
    eps = _epsilon(call)
    usual = isclose(eps, SMALLEST_STEP.get(call.spec().dtype, 0), rel_tol=1e-6)
    return Meaning(
        ops.RMSNorm(axes, bool(weights), None if usual else eps), (call.required(0),), weights
    )


def prelu(call: Call) -> Meaning:
    """Read a rectifier with trained slopes."""
    slope = call.required(1)
    if slope.stored is None:
        made = broadcast(call.shape(), call.shape(1))
        return unknown_work(call, TensorSpec(made, call.spec().dtype))
    return Meaning(ops.PReLU(slope.stored.spec.numel), (call.required(0),), (slope,))


def recurrent(kind: str, states: int) -> Rule:
    """Return the rule of a recurrent layer; ``states`` are the final states that it gives."""

    def rule(call: Call) -> Meaning | None:
        weight, matrix, bias = call.required(1), call.required(2), call.operand(3)
        directions, _, hidden = call.shape(2)
        first = call.integer("layout", 0) == 1
        if call.operand(7) is not None:
            return None  # peepholes
        x = call.spec()
        n, length = x.shape[:2] if first else (x.shape[1], x.shape[0])
        check_fit("features", x.shape[-1], call.shape(1)[-1])
        op = ops.Recurrent(kind, hidden, 1, directions, bias is not None, first)
        shape = (n, length, directions, hidden) if first else (length, directions, n, hidden)
        whole = ops.View("reshape", (TensorSpec(shape, x.dtype),))
        after: list[tuple[int, str, Op]] = [(0, "reshape", whole)]
        if first:
            state = ops.View("transpose", (TensorSpec((n, directions, hidden), x.dtype),))
            after += [(1 + number, "transpose", state) for number in range(states)]
        states_in = (call.operand(5), call.operand(6))
        initial = [o for o in states_in if o and o.value is None and not _is_stored(o)]
        reads = (call.required(0), *initial)
        return Meaning(op, reads, _present(weight, matrix, bias), (), tuple(after))

    return rule


def gather(call: Call) -> Meaning:
    """Read a table's rows where the table is stored and the indices are computed."""
    table, indices = call.required(0), call.required(1)
    axis = call.integer("axis", 0)
    stored = table.stored
    if stored is not None and stored.is_weight and not indices.stored and indices.value is None:
        rows, *width = stored.spec.shape
        if axis == 0 and len(width) == 1 and "int" in call.spec(1).dtype:
            op = ops.Embedding(rows, width[0], stored.spec.dtype)
            return Meaning(op, (indices,), (table,))
    shape = call.shape()
    axis %= len(shape)
    made = TensorSpec((*shape[:axis], *call.shape(1), *shape[axis + 1 :]), call.spec().dtype)
    computed = indices.value is None and not indices.stored
    return Meaning(ops.Rearrange("gather", (made,)), (table, indices) if computed else (table,))
