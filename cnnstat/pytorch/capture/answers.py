"""Results on empty tensors that are known without asking PyTorch.

PyTorch takes these functions apart in Python there, function by function, and imports its compiler
for it: longer than everything else. Only where the result's layout is as certain as its shape is it
answered here (one shape, strides and dtype for all; contiguous); anything else is left to PyTorch,
errors with it.
"""

from __future__ import annotations

from typing import Any

import torch

from cnnstat.ir.op import OpError
from cnnstat.ir.window import WindowError
from cnnstat.pytorch.capture.calls import Call, axes_of
from cnnstat.pytorch.capture.table import RULES
from cnnstat.pytorch.tensors import spec_of

LIKE_THEIR_INPUT = frozenset(
    [
        *("relu", "relu6", "sigmoid", "tanh", "silu", "gelu", "mish", "elu", "leaky_relu"),
        *("hardswish", "hardsigmoid", "hardtanh", "softplus", "dropout"),
        *("add", "sub", "rsub", "mul", "div", "neg", "abs", "exp", "sqrt", "rsqrt", "clamp"),
    ]
)
"""Functions whose result is like their first tensor where all tensors are alike."""


INFERRED = frozenset(
    [
        *(f"{kind}{n}d" for kind in ("conv", "max_pool", "avg_pool") for n in (1, 2, 3)),
        *("batch_norm", "layer_norm", "linear"),
    ]
)
"""Functions of a contiguous tensor whose result has the shape that their operator infers."""


def known_result(call: Call) -> torch.Tensor | None:
    """Return the result of a call of an ATen function; None where PyTorch has to be asked."""
    name, arguments, first = call.name, call.arguments, call.first
    if not isinstance(first, torch.Tensor) or not first.is_floating_point():
        return None
    if name in INFERRED or name.startswith("adaptive_avg_pool"):
        shape = _shape(call, first) if first.is_contiguous() else None
        return None if shape is None else first.new_empty(shape)
    in_place = name.endswith("_")
    if name[: -1 if in_place else None] not in LIKE_THEIR_INPUT or "out" in arguments:
        return None
    if not all(_matches(first, value) for value in arguments.values()):
        return None
    if in_place:
        return first
    return first.new_empty(first.shape) if first.is_contiguous() else torch.empty_like(first)


def _matches(first: torch.Tensor, value: Any) -> bool:
    """Return whether an argument is a number, or a tensor just like the first."""
    if isinstance(value, torch.Tensor):
        return (
            value.dtype == first.dtype
            and value.shape == first.shape
            and value.stride() == first.stride()
        )
    return value is None or isinstance(value, int | float | str)


def _shape(call: Call, x: torch.Tensor) -> tuple[int, ...] | None:
    """Return the shape of a result; None where the arguments do not fit, for PyTorch to say so."""
    a = call.arguments
    if call.name not in INFERRED:
        size = a["output_size"]
        fits = x.dim() == len(size) + 2 and set(size) == {1}
        return (*x.shape[:2], *size) if fits else None
    try:
        meant = None if _is_special(x, a) else RULES[call.name](call)
        if meant is None or meant.before:
            return None
        specs = (spec_of(x),)
        wanted = [(weight.shape, x.dtype) for weight in meant.op.weights(specs)]
        fits = wanted == [(tuple(each.shape), each.dtype) for each in meant.weights]
        return meant.op.infer(specs)[0].shape if fits else None
    except (OpError, WindowError):
        return None


def _is_special(x: torch.Tensor, a: dict[str, Any]) -> bool:
    """Return whether PyTorch may refuse what the operator does not know of."""
    if "kernel_size" in a:
        rank = x.dim() - 2
        sides = zip(axes_of(a["padding"], rank), axes_of(a["kernel_size"], rank), strict=False)
        return any(2 * p > k for p, k in sides)
    extents = tuple(a.get("normalized_shape", ()))
    other = extents != tuple(x.shape[len(x.shape) - len(extents) :])
    return other or isinstance(a.get("padding"), str) or a.get("running_mean", x) is None
