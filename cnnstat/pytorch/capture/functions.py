"""ATen functions that no operator stands for: the work of each, by its definition.

A function gives the operations of one call, with ``n`` elements of its first result and ``m`` of
its first tensor. Ranking is counted as comparisons, m * ceil(log2 k) to find the k first; a Fourier
transform as the radix-2 algorithm, 2 N log2 N multiplications and 3 N log2 N additions for N
complex values, half of that where one side is real.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch

from cnnstat.ir.work import NO_WORK, Work
from cnnstat.pytorch.capture.answers import axes_of
from cnnstat.pytorch.capture.capture import Call

Definition = Callable[[Call], Work]


def work_of(call: Call, name: str) -> Work | None:
    """Return the work of a call of the function ``name``; None where it is not defined.

    Of whole numbers, what is done with them is no work.
    """
    definition = FUNCTIONS.get(name)
    if definition is None:
        return None
    numbers = [first(call), *call.results]
    if not any(each.is_floating_point() or each.is_complex() for each in numbers):
        return NO_WORK
    return definition(call)


def first(call: Call) -> torch.Tensor:
    """Return the first tensor that a call is given; its first result where there is none."""
    for value in call.arguments.values():
        if isinstance(value, torch.Tensor):
            return value
    return call.results[0]


def _per_result(**counts: int) -> Definition:
    return lambda call: Work(**{kind: k * call.specs[0].numel for kind, k in counts.items()})


def _per_input(**counts: int) -> Definition:
    return lambda call: Work(**{kind: k * first(call).numel() for kind, k in counts.items()})


def _added(key: str) -> Definition:
    """Return as many additions as an argument has elements: each goes where it belongs."""
    return lambda call: Work(additions=_numel(call.arguments[key]))


def _numel(value: Any) -> int:
    return int(value.numel()) if isinstance(value, torch.Tensor) else 0


def _log2(count: int) -> int:
    """Return log2, rounded up, at least 1."""
    return max(1, (count - 1).bit_length())


def _ranked(call: Call) -> Work:
    x = first(call)
    axis = call.arguments.get("dim")
    length = x.shape[axis if isinstance(axis, int) else -1] if x.dim() else 1
    return Work(comparisons=x.numel() * _log2(int(call.arguments.get("k", length)) + 1))


def _searched(call: Call) -> Work:
    a = call.arguments
    edges = a.get("boundaries", a.get("sorted_sequence"))
    length = edges.shape[-1] if isinstance(edges, torch.Tensor) and edges.dim() else 1
    return Work(comparisons=call.specs[0].numel * _log2(int(length) + 1))


def _fourier(call: Call) -> Work:
    """Return the transform over each axis in turn; of real values or to them, half of it."""
    x = max(first(call), call.results[0], key=torch.Tensor.numel)
    real = not (first(call).is_complex() and call.results[0].is_complex())
    axes = axes_of(call.arguments["dim"], 1)
    steps = x.numel() * sum(_log2(int(x.shape[axis])) for axis in axes)
    return Work(multiplications=2 * steps // (1 + real), additions=3 * steps // (1 + real))


def _distances(call: Call) -> Work:
    """Return, per pair, the differences, their powers, the sum and its root."""
    a = call.arguments
    pairs, d = call.specs[0].numel, int(first(call).shape[-1])
    powers = pairs * d
    square = float(a["p"]) == 2
    return Work(
        additions=powers + pairs * max(d - 1, 0),
        multiplications=powers if square else 0,
        exponentials=pairs + (0 if square else powers),
    )


def _loss(**per_element: int) -> Definition:
    """Return a loss: operations per element, then a sum or a mean of all but with reduction 0."""

    def definition(call: Call) -> Work:
        m, n = first(call).numel(), call.specs[0].numel
        work = Work(**{kind: k * m for kind, k in per_element.items()})
        how = int(call.arguments.get("reduction", 0))
        return work.plus(Work(additions=m - n if how else 0, divisions=n if how == 1 else 0))

    return definition


def _sampled(call: Call) -> Work:
    """Return the weighted sum of 2 taps per axis (bilinear), or 4 (bicubic); 1 is a move."""
    rank = call.results[0].dim() - 2
    taps = {0: 2**rank, 1: 1, 2: 4**rank}[int(call.arguments["interpolation_mode"])]
    n = call.specs[0].numel
    return Work(multiplications=taps * n, additions=(taps - 1) * n) if taps > 1 else NO_WORK


def _bags(call: Call) -> Work:
    """Return the rows of each bag added up, averaged or compared."""
    bags, width = (int(extent) for extent in call.results[0].shape)
    rows = _numel(call.arguments["indices"])
    joined = max(rows - bags, 0) * width
    mode = int(call.arguments.get("mode", 0))  # sum, mean, max
    weighted = rows * width if call.arguments.get("per_sample_weights") is not None else 0
    if mode == 2:
        return Work(comparisons=joined)
    return Work(
        additions=joined, multiplications=weighted, divisions=bags * width if mode == 1 else 0
    )


def _trilinear(call: Call) -> Work:
    """Return, per result, the products of three factors and their sum, as PyTorch computes them."""
    a = call.arguments
    shown = ("i1", "i2", "i3")
    shapes = [_expanded(a[each], a[f"expand{each[1]}"]) for each in shown]
    terms = prod(max(extents) for extents in zip(*shapes, strict=True))
    n = call.specs[0].numel
    return Work(multiplications=2 * terms, additions=terms - n)


def _expanded(tensor: torch.Tensor, axes: list[int]) -> list[int]:
    shape = list(tensor.shape)
    for axis in sorted(axes):
        shape.insert(axis, 1)
    return shape


EXPONENTIALS = (
    *("tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "atan2", "sinc"),
    *("log2", "log10", "log1p", "exp2", "expm1", "erfc", "erfinv", "lgamma", "digamma", "i0"),
    *("logit", "angle", "special_erfcx", "special_i0e", "special_i1", "special_i1e", "polar"),
    *("logaddexp", "logaddexp2", "float_power"),
)
"""One transcendental function per element of the result."""

COMPARISONS = (
    *("trunc", "frac", "fix", "isnan", "isinf", "isfinite", "isposinf", "isneginf", "signbit"),
    *("sgn", "heaviside", "copysign", "fmax", "fmin", "nan_to_num", "isclose", "isin"),
)
"""One comparison per element of the result."""

FUNCTIONS: dict[str, Definition] = {
    **{name: _per_result(exponentials=1) for name in EXPONENTIALS},
    **{name: _per_result(comparisons=1) for name in COMPARISONS},
    "glu": _per_result(activations=1, multiplications=1),
    "rrelu": _per_result(activations=1),
    "rrelu_with_noise": _per_result(activations=1),
    "fmod": _per_result(divisions=1),
    "hypot": _per_result(multiplications=2, additions=1, exponentials=1),
    "xlogy": _per_result(exponentials=1, multiplications=1),
    "special_entr": _per_result(exponentials=1, multiplications=1),
    "linalg_cross": _per_result(multiplications=2, additions=1),
    "cummax": _per_input(comparisons=1),
    "cummin": _per_input(comparisons=1),
    "logcumsumexp": _per_input(exponentials=2, additions=1),
    "sort": _ranked,
    "argsort": _ranked,
    "topk": _ranked,
    "kthvalue": _ranked,
    "median": _ranked,
    "nanmedian": _ranked,
    "mode": _ranked,
    "msort": _ranked,
    "searchsorted": _searched,
    "bucketize": _searched,
    "nonzero": _per_input(comparisons=1),
    "count_nonzero": _per_input(comparisons=1),
    "aminmax": _per_input(comparisons=2),
    "trace": lambda call: Work(additions=min(first(call).shape) - 1),
    "index_add": _added("source"),
    "scatter_add": _added("index"),
    "scatter_reduce": _added("index"),
    "index_reduce": _added("source"),
    "_embedding_bag": _bags,
    "_embedding_bag_forward_only": _bags,
    "_trilinear": _trilinear,
    "_fft_r2c": _fourier,
    "_fft_c2c": _fourier,
    "_fft_c2r": _fourier,
    "_cdist_forward": _distances,
    "_pdist_forward": _distances,
    "grid_sampler_2d": _sampled,
    "grid_sampler_3d": _sampled,
    "mse_loss": _loss(additions=1, multiplications=1),
    "l1_loss": _loss(additions=1, comparisons=1),
    "smooth_l1_loss": _loss(additions=1, comparisons=2, multiplications=1),
    "huber_loss": _loss(additions=1, comparisons=2, multiplications=1),
    "soft_margin_loss": _loss(multiplications=1, exponentials=2, additions=1),
    "binary_cross_entropy": _loss(exponentials=2, multiplications=2, additions=3),
    "nll_loss_forward": lambda call: Work(additions=_numel(call.arguments["target"]), divisions=1),
    "nll_loss2d_forward": lambda call: Work(
        additions=_numel(call.arguments["target"]), divisions=1
    ),
}
"""Work of a call, by the function's name."""
