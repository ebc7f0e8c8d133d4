"""Rules of ATen functions, one for each kind; ``a`` are the call's arguments by name.

A rule answers None where a call is beyond it: the caller then makes it an ``Opaque`` row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from cnnstat import ops
from cnnstat.ir.op import Argument, Arguments, Op
from cnnstat.pytorch.capture.answers import axes_of
from cnnstat.pytorch.capture.capture import Call
from cnnstat.pytorch.specs import spec_of


class Meaning(NamedTuple):
    """The meaning of a call: operator, tensors it reads, stored tensors that are its weights.

    ``before`` and ``after`` are operators on single reads and results, as a ``Layer`` has them.
    """

    op: Op
    reads: tuple[torch.Tensor, ...]
    weights: tuple[torch.Tensor, ...] = ()
    before: tuple[tuple[int, str, Op], ...] = ()
    after: tuple[tuple[int, str, Op], ...] = ()


Rule = Callable[[Call], Meaning | None]


def tensors(*values: Any) -> tuple[torch.Tensor, ...]:
    """Return the tensors among values, those in lists too, in order."""
    flat: list[torch.Tensor] = []
    for value in values:
        if isinstance(value, torch.Tensor):
            flat.append(value)
        elif isinstance(value, list | tuple):
            flat += tensors(*value)
    return tuple(flat)


def plain_arguments(call: Call) -> Arguments:
    """Return the arguments that are numbers, texts or lists of them, by name."""
    pairs = ((name, _plain(value)) for name, value in call.arguments.items())
    return tuple((name, value) for name, value in pairs if value is not None)


def _plain(value: Any) -> Argument | None:
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in value]
        known = tuple(item for item in items if item is not None)
        return known if len(known) == len(items) else None
    return None


CONVOLUTIONS = {1: ops.Conv1d, 2: ops.Conv2d, 3: ops.Conv3d}
TRANSPOSED = {1: ops.ConvTranspose1d, 2: ops.ConvTranspose2d, 3: ops.ConvTranspose3d}
"""Convolutions by their spatial axes."""


def convolution(call: Call) -> Meaning | None:
    """Read a convolution of 1, 2 or 3 axes, or a transposed one."""
    a = call.arguments
    rank = a["weight"].dim() - 2
    x, weight, bias = a["input"], a["weight"], a.get("bias")
    weights = tensors(weight, bias)
    if x.dim() != rank + 2 or rank not in (1, 2, 3):
        return None
    transposed = bool(a.get("transposed", False)) or "conv_transpose" in call.name
    padding = a.get("padding", 0)
    kernel = tuple(weight.shape[2:])
    stride, dilation = axes_of(a["stride"], rank), axes_of(a["dilation"], rank)
    groups = int(a["groups"])
    if transposed:
        op: Op = TRANSPOSED[rank](
            int(weight.shape[1]) * groups,
            kernel,
            stride,
            axes_of(padding, rank),
            dilation,
            axes_of(a.get("output_padding", 0), rank),
            groups,
            bias is not None,
        )
        return Meaning(op, (x,), weights)
    if padding == "valid":
        padding = 0
    pads: Any = "same" if padding == "same" else axes_of(padding, rank)
    out = int(weight.shape[0])
    return Meaning(
        CONVOLUTIONS[rank](out, kernel, stride, pads, dilation, groups, bias is not None),
        (x,),
        weights,
    )


def linear(call: Call) -> Meaning | None:
    """Read a matrix with stored weights."""
    a = call.arguments
    bias = a.get("bias")
    if a["weight"].dim() != 2:
        return None
    op = ops.Linear(int(a["weight"].shape[0]), bias is not None)
    return Meaning(op, (a["input"],), tensors(a["weight"], bias))


def product(call: Call) -> Meaning | None:
    """Read a product of two tensors."""
    a = call.arguments
    left = a.get("self", a.get("input"))
    right = next(a[k] for k in ("other", "mat2", "vec2", "vec", "tensor") if k in a)
    return Meaning(ops.MatMul(), tensors(left, right))


def product_and_sum(call: Call) -> Meaning | None:
    """Read a product of two tensors that is added to a third."""
    a = call.arguments
    left, right = ("mat1", "mat2") if "mat1" in a else ("batch1", "batch2")
    if "mat" in a:
        left, right = "mat", "vec"
    return Meaning(ops.MatMul(), tensors(a[left], a[right], a["self"]))


def batch_norm(call: Call) -> Meaning | None:
    """Read a batch normalisation with running statistics."""
    a = call.arguments
    x, affine, tracked = a["input"], a["weight"] is not None, a["running_mean"] is not None
    statistics = (a["running_mean"], a["running_var"]) if tracked else ()
    weights = tensors(a["weight"], a["bias"], *statistics)
    return Meaning(ops.BatchNorm2d(affine, tracked, float(a["eps"])), (x,), weights)


def layer_norm(call: Call) -> Meaning:
    """Read a layer normalisation."""
    a = call.arguments
    op = ops.LayerNorm(
        len(a["normalized_shape"]),
        a["weight"] is not None,
        a.get("bias") is not None,
        float(a["eps"]),
    )
    return Meaning(op, (a["input"],), tensors(a["weight"], a.get("bias")))


def rms_norm(call: Call) -> Meaning:
    """Read an RMS normalisation."""
    a = call.arguments
    eps = a.get("eps")
    affine = a["weight"] is not None
    op = ops.RMSNorm(len(a["normalized_shape"]), affine, None if eps is None else float(eps))
    return Meaning(op, (a["input"],), tensors(a["weight"]))


def group_norm(call: Call) -> Meaning:
    """Read a group normalisation."""
    a = call.arguments
    op = ops.GroupNorm(int(a["num_groups"]), a["weight"] is not None, float(a["eps"]))
    return Meaning(op, (a["input"],), tensors(a["weight"], a["bias"]))


def instance_norm(call: Call) -> Meaning | None:
    """Read an instance normalisation."""
    a = call.arguments
    if not a["use_input_stats"]:  # the running statistics: what a batch normalisation does
        return batch_norm(call)
    op = ops.InstanceNorm(a["weight"] is not None, float(a["eps"]))
    return Meaning(op, (a["input"],), tensors(a["weight"], a["bias"]))


def unary(op: Op) -> Rule:
    """Return the rule of an operator of one tensor."""

    def rule(call: Call) -> Meaning:
        first = call.arguments.get("self", call.arguments.get("input"))
        return Meaning(op, tensors(first))

    return rule


def nonlinearity(kind: str) -> Rule:
    """Return the rule of a nonlinearity of that name."""
    return unary(ops.Nonlinearity(kind))


def numbered(kind: str, name: str, usual: float) -> Rule:
    """Return the rule of a nonlinearity with a number of its own, by the argument's name."""

    def rule(call: Call) -> Meaning:
        number = float(call.arguments[name])
        op = ops.Nonlinearity(kind, () if number == usual else (number,))
        return Meaning(op, (call.arguments["self"],))

    return rule


def threshold(call: Call) -> Meaning:
    """Read a line above a limit and a constant below it."""
    a = call.arguments
    numbers = float(a["threshold"]), float(a["value"])
    return Meaning(ops.Nonlinearity("Threshold", numbers), (a["self"],))


def hardtanh(call: Call) -> Meaning:
    """Read a clipped line; ReLU6 where it clips at 0 and 6."""
    limits = float(call.arguments["min_val"]), float(call.arguments["max_val"])
    if limits == (0, 6):
        return Meaning(ops.Nonlinearity("ReLU6"), (call.arguments["self"],))
    op = ops.Nonlinearity("Hardtanh", () if limits == (-1, 1) else limits)
    return Meaning(op, (call.arguments["self"],))


def prelu(call: Call) -> Meaning:
    """Read a rectifier with trained slopes."""
    weight = call.arguments["weight"]
    return Meaning(ops.PReLU(int(weight.numel())), (call.arguments["self"],), (weight,))


def along(kind: type[ops.Softmax | ops.LogSoftmax]) -> Rule:
    """Return the rule of an operator along one axis."""
    return lambda call: Meaning(kind(int(call.arguments["dim"])), (call.arguments["self"],))


def dropout(call: Call) -> Meaning:
    """Read a dropout."""
    a = call.arguments
    x = a["input"] if "input" in a else a["self"]  # as the form in place has it
    return Meaning(ops.Dropout(float(a["p"])), (x,))


USUAL: Arguments = (("alpha", 1), ("value", 1))
"""Numbers of elementwise functions that change nothing."""


def pointwise(kind: str) -> Rule:
    """Return the rule of elementwise arithmetic of that kind."""

    def rule(call: Call) -> Meaning | None:
        reads = tensors(*call.arguments.values())
        result = spec_of(call.results[0])
        shapes = {tuple(read.shape) for read in reads}
        if kind == "add" and len(reads) == 2 and len(shapes) == 1:
            return Meaning(ops.Add(), reads)
        dtype = None if reads and spec_of(reads[0]).dtype == result.dtype else result.dtype
        numbers = tuple(pair for pair in plain_arguments(call) if pair not in USUAL)
        named = () if call.name.rstrip("_") == kind else (("function", call.name.rstrip("_")),)
        return Meaning(ops.Pointwise(kind, dtype, (*numbers, *named)), reads) if reads else None

    return rule


def reduce(kind: str) -> Rule:
    """Return the rule of a reduction of that kind."""

    def rule(call: Call) -> Meaning | None:
        a = call.arguments
        axes = a.get("dim")
        if "other" in a:  # the larger of two tensors
            return pointwise(f"{kind}imum")(call)
        over = () if axes is None or axes == [] else axes_of(axes, 1)
        both = len(call.results) > 1
        return Meaning(ops.Reduce(kind, over, bool(a.get("keepdim", False)), both), (a["self"],))

    return rule


def weight_norm(call: Call) -> Meaning:
    """Read kernels made of directions and lengths."""
    a = call.arguments
    return Meaning(ops.WeightNorm(a["dim"] % a["v"].dim()), (a["v"], a["g"]))


def attention(call: Call) -> Meaning:
    """Read scaled dot-product attention."""
    a = call.arguments
    return Meaning(ops.Attention(), tensors(a["query"], a["key"], a["value"], a.get("attn_mask")))


def concat(call: Call) -> Meaning:
    """Read a concatenation."""
    a = call.arguments
    return Meaning(ops.Concat(int(a["dim"])), tensors(a["tensors"]))


def flatten(call: Call) -> Meaning:
    """Read a flattening of everything but the batch, or a view."""
    x, result = call.arguments["self"], call.results[0]
    if result.dim() == 2 and x.dim() > 2 and result.shape[0] == x.shape[0]:
        return Meaning(ops.Flatten(), (x,))
    return Meaning(ops.View("flatten", (spec_of(result),)), (x,))


def embedding(call: Call) -> Meaning:
    """Read rows of a table."""
    weight, indices = call.arguments["weight"], call.arguments["indices"]
    rows, width = (int(n) for n in weight.shape)
    op = ops.Embedding(rows, width, spec_of(weight).dtype)
    return Meaning(op, (indices,), (weight,))


def recurrent(kind: str) -> Rule:
    """Return the rule of a recurrent layer of that kind."""

    def rule(call: Call) -> Meaning | None:
        a = call.arguments
        packed = "batch_sizes" in a  # sequences of their own lengths, step by step
        x, state = a["data" if packed else "input"], call.results[1]
        if "params" not in a or x.dim() != (2 if packed else 3):
            return None
        directions = 2 if a["bidirectional"] else 1
        shown = int(call.results[0].shape[-1]) // directions
        hidden = int(call.results[-1].shape[-1])  # of the cell, which no projection makes smaller
        op = ops.Recurrent(
            kind,
            hidden,
            int(a["num_layers"]),
            directions,
            bool(a["has_biases"]),
            bool(a.get("batch_first", False)),
            projection=shown if shown != hidden else 0,
            sequences=int(state.shape[1]) if packed else 0,
            longest=_last_number(a["batch_sizes"]) if packed else 0,
        )
        return Meaning(op, (x,), tensors(a["params"]))

    return rule


def _last_number(values: torch.Tensor) -> int:
    """Return the last of some numbers; 0 where they have no contents."""
    try:
        return int(values[-1])
    except RuntimeError:  # PyTorch's errors for a number of a meta or a fake tensor are some
        return 0
