"""Results on empty tensors that are known without asking PyTorch.

PyTorch takes these functions apart in Python there, function by function, and imports its compiler
for it: longer than everything else. Only where the result's layout is as certain as its shape is it
answered here (one shape, strides and dtype for all; contiguous); anything else is left to PyTorch,
errors with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from cnnstat.ir.window import Axes, Window, WindowError, windows

Answer = Callable[[torch.Tensor, dict[str, Any]], torch.Size | None]

LIKE_THEIR_INPUT = frozenset(
    [
        *("relu", "relu6", "sigmoid", "tanh", "silu", "gelu", "mish", "elu", "leaky_relu"),
        *("hardswish", "hardsigmoid", "hardtanh", "softplus", "dropout"),
        *("add", "sub", "rsub", "mul", "div", "neg", "abs", "exp", "sqrt", "rsqrt", "clamp"),
    ]
)
"""Functions whose result is like their first tensor where all tensors are alike."""


def known_result(name: str, arguments: dict[str, Any]) -> torch.Tensor | None:
    """Return the result of an ATen function; None where PyTorch has to be asked."""
    first = arguments.get("self", arguments.get("input"))
    if not isinstance(first, torch.Tensor) or not first.is_floating_point():
        return None
    answer = ANSWERS.get(name)
    if answer is not None:
        shape = answer(first, arguments)
        return first.new_empty(shape) if shape is not None and first.is_contiguous() else None
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


def _same_dtype(x: torch.Tensor, *others: torch.Tensor | None) -> bool:
    return all(each is None or each.dtype == x.dtype for each in others)


def _batch_norm(x: torch.Tensor, a: dict[str, Any]) -> torch.Size | None:
    mean = a["running_mean"]
    fits = mean is not None and x.dim() > 1 and mean.numel() == x.shape[1]
    return x.shape if fits and _same_dtype(x, a["weight"], a["bias"]) else None


def _layer_norm(x: torch.Tensor, a: dict[str, Any]) -> torch.Size | None:
    shape = tuple(a["normalized_shape"])
    fits = tuple(x.shape[-len(shape) :]) == shape
    return x.shape if fits and _same_dtype(x, a["weight"], a["bias"]) else None


def _global_pool(x: torch.Tensor, a: dict[str, Any]) -> torch.Size | None:
    fits = x.dim() == len(a["output_size"]) + 2 and set(a["output_size"]) == {1}
    return torch.Size((*x.shape[:2], *a["output_size"])) if fits else None


def _linear(x: torch.Tensor, a: dict[str, Any]) -> torch.Size | None:
    weight, bias = a["weight"], a["bias"]
    fits = weight.dim() == 2 and x.dim() > 1 and x.shape[-1] == weight.shape[1]
    fits = fits and (bias is None or bias.shape == weight.shape[:1])
    if not fits or not _same_dtype(x, weight, bias):
        return None
    return torch.Size((*x.shape[:-1], weight.shape[0]))


def axes_of(value: Any, rank: int) -> Axes:
    """Return one whole number per axis of what PyTorch takes: a number, a list of one or of all."""
    values = [value] if isinstance(value, int) else list(value)
    return tuple(int(v) for v in (values * rank if len(values) == 1 else values))


def _convolution(x: torch.Tensor, a: dict[str, Any]) -> torch.Size | None:
    weight, bias, groups = a["weight"], a["bias"], a["groups"]
    out, per_group, *kernel = weight.shape
    rank = len(kernel)
    fits = x.dim() == rank + 2 and x.shape[1] == per_group * groups and not out % groups
    fits = fits and (bias is None or bias.shape == weight.shape[:1])
    if not fits or not _same_dtype(x, weight, bias) or isinstance(a["padding"], str):
        return None
    return _positions(x, out, a, tuple(kernel))


def _pool(rank: int) -> Answer:
    def answer(x: torch.Tensor, a: dict[str, Any]) -> torch.Size | None:
        kernel = axes_of(a["kernel_size"], rank)
        sides = zip(axes_of(a["padding"], rank), kernel, strict=True)
        fits = x.dim() == rank + 2 and all(2 * p <= k for p, k in sides)
        return _positions(x, x.shape[1], a, kernel) if fits else None

    return answer


def _positions(x: torch.Tensor, c: int, a: dict[str, Any], kernel: Axes) -> torch.Size | None:
    """Return (n, c, positions of a window); None where it does not fit, for PyTorch to say so."""
    rank, extents = len(kernel), tuple(x.shape[2:])
    stride = axes_of(a["stride"] or kernel, rank)
    padding, dilation = axes_of(a["padding"], rank), axes_of(a.get("dilation", 1), rank)
    ceil = bool(a.get("ceil_mode", False))
    try:
        resolved = windows(extents, kernel, stride, padding, dilation, ceil)
        return torch.Size((x.shape[0], c, *map(Window.out, resolved, extents)))
    except WindowError:
        return None


ANSWERS: dict[str, Answer] = {
    "conv1d": _convolution,
    "conv2d": _convolution,
    "conv3d": _convolution,
    "max_pool1d": _pool(1),
    "max_pool2d": _pool(2),
    "max_pool3d": _pool(3),
    "avg_pool1d": _pool(1),
    "avg_pool2d": _pool(2),
    "avg_pool3d": _pool(3),
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "adaptive_avg_pool1d": _global_pool,
    "adaptive_avg_pool2d": _global_pool,
    "adaptive_avg_pool3d": _global_pool,
    "linear": _linear,
}
"""Functions of a contiguous tensor: the shape of the result, None where it does not fit."""
