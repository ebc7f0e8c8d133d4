"""Rules of ATen functions, one for each kind; ``a`` are the call's arguments by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from cnnstat import ops
from cnnstat.ir.op import Arguments, Op
from cnnstat.ir.window import Axes
from cnnstat.pytorch.capture.calls import (
    Call,
    Meaning,
    Rule,
    axes_of,
    plain_arguments,
    tensors,
)
from cnnstat.pytorch.tensors import spec_of


def rule(make: Callable[[dict[str, Any]], Op], *reads: str, weights: tuple[str, ...] = ()) -> Rule:
    """Return the rule of an operator that is made of a call's arguments.

    It reads those named, else the first tensor; ``weights`` name its stored ones. A call need not
    have all of them.
    """

    def read(call: Call) -> Meaning:
        a = call.arguments
        entering = map(a.get, reads) if reads else [call.first]
        return Meaning(make(a), tensors(*entering), tensors(*map(a.get, weights)))

    return read


def unbatched(rule: Rule, rank: int) -> Rule:
    """Return the rule of a layer of ``rank`` axes that also reads a single sample.

    PyTorch takes it without a batch axis. It is seen as a batch of one, and the results as samples
    again.
    """

    def either(call: Call) -> Meaning | None:
        x = call.first
        if x.dim() == rank + 2:
            return rule(call)
        if x.dim() != rank + 1:
            return None
        one = x.unsqueeze(0)
        results = tuple(result.unsqueeze(0) for result in call.results)
        name = "input" if "input" in call.arguments else "self"
        batch = replace(
            call,
            arguments={**call.arguments, name: one},
            results=results,
            specs=tuple(map(spec_of, results)),
        )
        meant = rule(batch)
        if meant is None:
            return None
        before = ((0, "unsqueeze", ops.View("unsqueeze", (spec_of(one),))),)
        after = [
            (number, "squeeze", ops.View("squeeze", (spec,)))
            for number, spec in enumerate(call.specs)
        ]
        return meant._replace(reads=(x, *meant.reads[1:]), before=before, after=tuple(after))

    return either


CONVOLUTIONS = {1: ops.Conv1d, 2: ops.Conv2d, 3: ops.Conv3d}
TRANSPOSED = {1: ops.ConvTranspose1d, 2: ops.ConvTranspose2d, 3: ops.ConvTranspose3d}
"""Convolutions by their spatial axes."""


def convolution(call: Call) -> Meaning | None:
    """Read a convolution of 1, 2 or 3 axes, or a transposed one."""
    a = call.arguments
    x, weight, bias, padding = a["input"], a["weight"], a["bias"], a["padding"]
    rank, kernel, groups = weight.dim() - 2, tuple(weight.shape[2:]), int(a["groups"])
    if x.dim() != rank + 2 or rank not in CONVOLUTIONS:
        return None
    stride, dilation = axes_of(a["stride"], rank), axes_of(a["dilation"], rank)
    pads: Any = "same"
    if padding != "same":
        pads = axes_of(0 if padding == "valid" else padding, rank)
    if a.get("transposed") or "conv_transpose" in call.name:
        extra, out = axes_of(a["output_padding"], rank), int(weight.shape[1]) * groups
        window = kernel, stride, pads, dilation, extra
        op: Op = TRANSPOSED[rank](out, *window, groups, bias is not None)
    else:
        out = int(weight.shape[0])
        op = CONVOLUTIONS[rank](out, kernel, stride, pads, dilation, groups, bias is not None)
    return Meaning(op, (x,), tensors(weight, bias))


def linear(call: Call) -> Meaning | None:
    """Read a matrix with stored weights."""
    weight, bias = call.arguments["weight"], call.arguments["bias"]
    if weight.dim() != 2:
        return None
    op = ops.Linear(int(weight.shape[0]), bias is not None)
    return Meaning(op, (call.first,), tensors(weight, bias))


def _window(a: dict[str, Any], rank: int) -> tuple[Axes, Axes, Axes, bool]:
    """Return kernel, stride, padding and rounding; the stride is the kernel unless given."""
    kernel = axes_of(a["kernel_size"], rank)
    stride = axes_of(a["stride"], rank) if a["stride"] else kernel
    return kernel, stride, axes_of(a["padding"], rank), bool(a["ceil_mode"])


def max_pool(kind: type[ops.MaxPool1d | ops.MaxPool2d | ops.MaxPool3d]) -> Rule:
    """Return the rule of a max-pooling of that class."""

    def read(call: Call) -> Meaning:
        a, both = call.arguments, len(call.results) > 1
        op = kind(*_window(a, kind.rank), both, axes_of(a["dilation"], kind.rank))
        return Meaning(op, (a["self"],))

    return unbatched(read, kind.rank)


def avg_pool(kind: type[ops.AvgPool1d | ops.AvgPool2d | ops.AvgPool3d]) -> Rule:
    """Return the rule of a mean-pooling of that class; another divisor is as much work."""

    def read(call: Call) -> Meaning:
        a = call.arguments
        op = kind(*_window(a, kind.rank), bool(a["count_include_pad"]))
        return Meaning(op, (a["self"],))

    return unbatched(read, kind.rank)


def adaptive_pool(kind: type[Any]) -> Rule:
    """Return the rule of an adaptive pooling of that class; of maxima there may be places, too."""

    def read(call: Call) -> Meaning:
        size = tuple(int(n) for n in call.results[0].shape[2:])
        whole = kind is ops.AdaptiveAvgPool2d and size == (1, 1)
        places = (True,) if len(call.results) > 1 else ()
        op = ops.GlobalAvgPool2d() if whole else kind(size, *places)
        return Meaning(op, (call.first,))

    return unbatched(read, kind.rank)


def interpolate(mode: str) -> Rule:
    """Return the rule of a resampling in that mode."""

    def read(call: Call) -> Meaning:
        size = tuple(int(n) for n in call.results[0].shape[2:])
        return Meaning(ops.Interpolate(size, mode), tensors(call.first))

    return read


def fold(a: dict[str, Any]) -> ops.Fold:
    """Return the sum of patches that are put back on a map."""
    fields = ("output_size", "kernel_size", "stride", "padding", "dilation")
    return ops.Fold(*[axes_of(a[key], 2) for key in fields])


AFFINE = ("weight", "bias")

batch_norm = rule(
    lambda a: ops.BatchNorm2d(
        a["weight"] is not None, a["running_mean"] is not None, float(a["eps"])
    ),
    weights=(*AFFINE, "running_mean", "running_var"),
)
layer_norm = rule(
    lambda a: ops.LayerNorm(
        len(a["normalized_shape"]),
        a["weight"] is not None,
        a["bias"] is not None,
        float(a["eps"]),
    ),
    weights=AFFINE,
)
_instance_norm = rule(
    lambda a: ops.InstanceNorm(a["weight"] is not None, float(a["eps"])), weights=AFFINE
)


def instance_norm(call: Call) -> Meaning | None:
    """Read an instance normalisation; by running statistics it does what a batch's does."""
    return (_instance_norm if call.arguments["use_input_stats"] else batch_norm)(call)


def rms_norm(a: dict[str, Any]) -> Op:
    """Return an RMS normalisation."""
    eps = None if a["eps"] is None else float(a["eps"])
    return ops.RMSNorm(len(a["normalized_shape"]), a["weight"] is not None, eps)


def nonlinearity(kind: str) -> Rule:
    """Return the rule of a nonlinearity of that name."""
    return rule(lambda a: ops.Nonlinearity(kind))


def numbered(kind: str, name: str, usual: float) -> Rule:
    """Return the rule of a nonlinearity with a number of its own, by the argument's name."""

    def make(a: dict[str, Any]) -> Op:
        number = float(a[name])
        return ops.Nonlinearity(kind, () if number == usual else (number,))

    return rule(make)


def hardtanh(a: dict[str, Any]) -> Op:
    """Return a clipped line; ReLU6 where it clips at 0 and 6."""
    limits = float(a["min_val"]), float(a["max_val"])
    if limits == (0, 6):
        return ops.Nonlinearity("ReLU6")
    return ops.Nonlinearity("Hardtanh", () if limits == (-1, 1) else limits)


USUAL: Arguments = (("alpha", 1), ("value", 1))
"""Numbers of elementwise functions that change nothing."""


def pointwise(kind: str) -> Rule:
    """Return the rule of elementwise arithmetic of that kind."""

    def read(call: Call) -> Meaning | None:
        reads = tensors(*call.arguments.values())
        result = spec_of(call.results[0])
        shapes = {tuple(read.shape) for read in reads}
        if kind == "add" and len(reads) == 2 and len(shapes) == 1:
            return Meaning(ops.Add(), reads)
        dtype = None if reads and spec_of(reads[0]).dtype == result.dtype else result.dtype
        numbers = tuple(pair for pair in plain_arguments(call) if pair not in USUAL)
        named = () if call.name.rstrip("_") == kind else (("function", call.name.rstrip("_")),)
        return Meaning(ops.Pointwise(kind, dtype, (*numbers, *named)), reads) if reads else None

    return read


def reduce(kind: str) -> Rule:
    """Return the rule of a reduction of that kind."""

    def read(call: Call) -> Meaning | None:
        a = call.arguments
        axes = a.get("dim")
        if "other" in a:  # the larger of two tensors
            return pointwise(f"{kind}imum")(call)
        over = () if axes is None or axes == [] else axes_of(axes, 1)
        both = len(call.results) > 1
        return Meaning(ops.Reduce(kind, over, bool(a.get("keepdim", False)), both), (a["self"],))

    return read


def flatten(call: Call) -> Meaning:
    """Read a flattening of everything but the batch, or a view."""
    x, result = call.arguments["self"], call.results[0]
    if result.dim() == 2 and x.dim() > 2 and result.shape[0] == x.shape[0]:
        return Meaning(ops.Flatten(), (x,))
    return Meaning(ops.View("flatten", (spec_of(result),)), (x,))


def embedding(a: dict[str, Any]) -> Op:
    """Return a table."""
    (rows, width), dtype = spec_of(a["weight"])
    return ops.Embedding(rows, width, dtype)


def recurrent(kind: str) -> Rule:
    """Return the rule of a recurrent layer of that kind."""

    def read(call: Call) -> Meaning | None:
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

    return read


def _last_number(values: torch.Tensor) -> int:
    """Return the last of some numbers; 0 where they have no contents."""
    try:
        return int(values[-1])
    except RuntimeError:  # PyTorch's errors for a number of a meta or a fake tensor are some
        return 0
