"""Rules of poolings, resampling and patches: calls whose operator reads windows of a map."""

from __future__ import annotations

from typing import Any

from cnnstat import ops
from cnnstat.ir.window import Axes
from cnnstat.pytorch.capture.calls import Call, Meaning, Rule, axes_of, tensors
from cnnstat.pytorch.capture.rules import unbatched


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
