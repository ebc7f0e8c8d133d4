"""Poolings as PyTorch runs them: those along one axis are views of those of maps.

``max_pool1d`` alone has a kernel of its own, which makes no indices: on processors, where nobody
asks for a gradient and nobody watches the dispatcher.
"""

from __future__ import annotations

from cnnstat import ops
from cnnstat.ir.op import Op
from cnnstat.memory import kernels as k
from cnnstat.memory.call import Call, Lowering, padded, padded_shape, windows_of
from cnnstat.memory.tape import Shape, Tape, Tensor
from cnnstat.ops.adaptive_pool import ADAPTIVE_MEANS
from cnnstat.ops.pool import MEANS


def _kernel(stem: str, call: Call) -> str:
    """Return the name of the kernel, ``avg_pool2d``; there is none of one axis."""
    return f"{stem}{max(len(call.shape) - 2, 2)}d"


def _max_pool(t: Tape, call: Call) -> list[Tensor]:
    x = padded(t, call, half=True)
    axes, indices = len(call.shape) - 2, call.op.return_indices
    watched = t.needs(x) or t.tracked or t.device != "cpu"
    if axes == 1 and not indices and not watched:
        return [k.unary(t, x, call.shape)]
    # autocast has no rule for the function that returns indices
    x_or_lower = x if indices else k.cast(t, _kernel("max_pool", call), x)[0]
    largest, where = k.max_pool(t, x_or_lower, call.shape)
    if indices and x is not call.x:
        where = _unpadded(t, where, axes)
    t.hold((x,))
    return [largest, where] if indices else [largest]


def _unpadded(t: Tape, where: Tensor, axes: int) -> Tensor:
    """Return places in a padded map as places in the map itself, computed axis by axis."""
    places, rest = t.like(where), where
    for _ in range(axes):
        remainder = t.like(where, rest)
        inside = t.like(where, remainder)
        step = t.like(where, inside)
        places = t.like(where, places, step)
        rest = t.like(where, rest)
    t.hold((where, rest))
    return places


def _avg_pool(t: Tape, call: Call) -> Tensor:
    x = padded(t, call, half=True)
    means = _mean(t, call, x, call.shape)
    if x is call.x or not _has_share(call):
        return means
    share = _share(t, call)
    shared = k.divide(t, means, share)
    t.hold((means, share))
    return shared


def _mean(t: Tape, call: Call, x: Tensor, shape: Shape) -> Tensor:
    (lower,) = k.cast(t, _kernel("avg_pool", call), x)
    mean = k.unary(t, lower, shape, saves="input")
    t.hold((x,))
    return mean


def _has_share(call: Call) -> bool:
    """Return whether windows cover elements that do not count: padding, or what is beyond it."""
    for n, window in zip(call.x.shape[2:], windows_of(call), strict=True):
        before, after = window.padding_read(n)
        if not call.op.count_include_pad and (before or after):
            return True
        if after > window.after:
            return True
    return False


def _share(t: Tape, call: Call) -> Tensor:
    """Return the share of each window that counts: the mean of ones, padded with zeros."""
    extents, spread = call.x.shape[2:], padded_shape(call)[2:]
    ones = t.run((call.x,), ((1, 1, *extents), call.x.dtype))[0]
    windows = windows_of(call)
    if call.op.count_include_pad and any(w.before or w.after for w in windows):
        counted = [n + w.before + w.after for n, w in zip(extents, windows, strict=True)]
        ones = t.run((ones,), ((1, 1, *counted), ones.dtype))[0]
    wide = t.run((ones,), ((1, 1, *spread), ones.dtype))[0]
    share = _mean(t, call, wide, (1, 1, *call.shape[2:]))
    t.hold((ones,))
    return share


def _adaptive_avg_pool(t: Tape, call: Call) -> Tensor:
    (x,) = k.cast(t, _kernel("adaptive_avg_pool", call), call.x)
    means_of_maps = set(call.shape[2:]) == {1}  # whose gradient is spread and divided
    return k.unary(t, x, call.shape, saves="" if means_of_maps else "input")


def _adaptive_max_pool(t: Tape, call: Call) -> Tensor:
    (x,) = k.cast(t, _kernel("adaptive_max_pool", call), call.x)
    return k.max_pool(t, x, call.shape)[0]


POOLINGS: dict[type[Op], Lowering] = {
    **dict.fromkeys((ops.MaxPool1d, ops.MaxPool2d, ops.MaxPool3d), _max_pool),
    **dict.fromkeys(MEANS, _avg_pool),
    **dict.fromkeys((*ADAPTIVE_MEANS, ops.GlobalAvgPool2d), _adaptive_avg_pool),
    **dict.fromkeys(
        (ops.AdaptiveMaxPool1d, ops.AdaptiveMaxPool2d, ops.AdaptiveMaxPool3d), _adaptive_max_pool
    ),
}
"""Operator's class -> its kernels."""
