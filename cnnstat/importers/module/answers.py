"""Results on empty tensors that are known without asking PyTorch.

PyTorch takes these functions apart in Python there, function by function, and imports its compiler
for it: longer than everything else. Only where the result's layout is as certain as its shape is it
answered here (one shape, strides and dtype for all; contiguous); anything else is left to PyTorch,
errors with it.
"""

from __future__ import annotations

from typing import Any

import torch

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
    return first if in_place else torch.empty_like(first)


def _matches(first: torch.Tensor, value: Any) -> bool:
    """Return whether an argument is a number, or a tensor just like the first."""
    if isinstance(value, torch.Tensor):
        return (
            value.dtype == first.dtype
            and value.shape == first.shape
            and value.stride() == first.stride()
        )
    return value is None or isinstance(value, int | float | str)


def _same_dtype(x: torch.Tensor, *held: torch.Tensor | None) -> bool:
    return all(each is None or each.dtype == x.dtype for each in held)


def _batch_norm(x: torch.Tensor, a: dict[str, Any]) -> torch.Size | None:
    mean = a["running_mean"]
    fits = mean is not None and x.dim() > 1 and mean.numel() == x.shape[1]
    return x.shape if fits and _same_dtype(x, a["weight"], a["bias"]) else None


def _layer_norm(x: torch.Tensor, a: dict[str, Any]) -> torch.Size | None:
    shape = tuple(a["normalized_shape"])
    fits = tuple(x.shape[-len(shape) :]) == shape
    return x.shape if fits and _same_dtype(x, a["weight"], a["bias"]) else None


def _global_pool(x: torch.Tensor, a: dict[str, Any]) -> torch.Size | None:
    fits = x.dim() == 4 and list(a["output_size"]) == [1, 1]
    return torch.Size((*x.shape[:2], 1, 1)) if fits else None


def _linear(x: torch.Tensor, a: dict[str, Any]) -> torch.Size | None:
    weight, bias = a["weight"], a["bias"]
    fits = weight.dim() == 2 and x.dim() > 1 and x.shape[-1] == weight.shape[1]
    fits = fits and (bias is None or bias.shape == weight.shape[:1])
    if not fits or not _same_dtype(x, weight, bias):
        return None
    return torch.Size((*x.shape[:-1], weight.shape[0]))


ANSWERS = {
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "adaptive_avg_pool2d": _global_pool,
    "linear": _linear,
}
"""Functions of a contiguous tensor: the shape of the result, None where it does not fit."""
