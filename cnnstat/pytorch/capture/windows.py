"""Rules of poolings, resampling and patches: calls whose operator reads windows of a map."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cnnstat import ops
from cnnstat.pytorch.capture.answers import axes_of
from cnnstat.pytorch.capture.capture import Call
from cnnstat.pytorch.capture.rules import Meaning, Rule, tensors
from cnnstat.pytorch.capture.unbatched import unbatched


def _pool_window(a: dict[str, Any], rank: int) -> tuple[tuple[int, ...], ...]:
    """Return kernel, stride and padding of a pooling whose stride is its kernel unless given."""
    kernel = axes_of(a["kernel_size"], rank)
    stride = axes_of(a["stride"], rank) if a["stride"] else kernel
    return kernel, stride, axes_of(a["padding"], rank)


def max_pool(kind: type[ops.MaxPool1d | ops.MaxPool2d | ops.MaxPool3d]) -> Rule:
    """Return the rule of a max-pooling of that class."""

    def rule(call: Call) -> Meaning | None:
        a = call.arguments
        if a["self"].dim() != kind.rank + 2:
            return None
        kernel, stride, padding = _pool_window(a, kind.rank)
        dilation, both = axes_of(a["dilation"], kind.rank), len(call.results) > 1
        op = kind(kernel, stride, padding, bool(a["ceil_mode"]), both, dilation)
        return Meaning(op, (a["self"],))

    return unbatched(rule, kind.rank)


def avg_pool(kind: type[ops.AvgPool1d | ops.AvgPool2d | ops.AvgPool3d]) -> Rule:
    """Return the rule of a mean-pooling of that class; another divisor is as much work."""

    def rule(call: Call) -> Meaning | None:
        a = call.arguments
        if a["self"].dim() != kind.rank + 2:
            return None
        kernel, stride, padding = _pool_window(a, kind.rank)
        op = kind(kernel, stride, padding, bool(a["ceil_mode"]), bool(a["count_include_pad"]))
        return Meaning(op, (a["self"],))

    return unbatched(rule, kind.rank)


_MAXIMA = (ops.AdaptiveMaxPool1d, ops.AdaptiveMaxPool2d, ops.AdaptiveMaxPool3d)
AdaptivePool = (
    type[ops.AdaptiveAvgPool1d | ops.AdaptiveAvgPool2d | ops.AdaptiveAvgPool3d]
    | type[ops.AdaptiveMaxPool1d | ops.AdaptiveMaxPool2d | ops.AdaptiveMaxPool3d]
)


def adaptive_pool(kind: AdaptivePool) -> Rule:
    """Return the rule of an adaptive pooling of that class."""

    def rule(call: Call) -> Meaning | None:
        x = call.arguments["self"]
        if x.dim() != kind.rank + 2:
            return None
        size = tuple(int(n) for n in call.results[0].shape[2:])
        if kind is ops.AdaptiveAvgPool2d and size == (1, 1):
            return Meaning(ops.GlobalAvgPool2d(), (x,))
        op = kind(size)
        if isinstance(op, _MAXIMA) and len(call.results) > 1:
            op = replace(op, return_indices=True)
        return Meaning(op, (x,))

    return unbatched(rule, kind.rank)


def interpolate(mode: str) -> Rule:
    """Return the rule of a resampling in that mode."""

    def rule(call: Call) -> Meaning:
        x = call.arguments.get("input", call.arguments.get("self"))
        size = tuple(int(n) for n in call.results[0].shape[2:])
        return Meaning(ops.Interpolate(size, mode), tensors(x))

    return rule


def fold(call: Call) -> Meaning:
    """Read patches that are put back on a map."""
    a = call.arguments
    fields = ("output_size", "kernel_size", "stride", "padding", "dilation")
    return Meaning(ops.Fold(*[axes_of(a[key], 2) for key in fields]), (a["self"],))
