"""Windows of ONNX operators: pads of two sides and ``auto_pad``.

Padding that no window of cnnstat has (negative, or a pooling's beyond its window) is an operator
of its own in front.
"""

from __future__ import annotations

from typing import NamedTuple

from cnnstat.importers.onnx.call import Call
from cnnstat.ir.op import Op, OpError
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import Axes, Padding, paired
from cnnstat.ops import Rearrange


class Place(NamedTuple):
    """A window's parameters, and the padding that goes before it, if any."""

    kernel: Axes
    stride: Axes
    dilation: Axes
    padding: Padding
    before: tuple[tuple[int, str, Op], ...] = ()


def window_of(call: Call, kernel: Axes, *, pooling: bool = False) -> Place:
    """Return the window of a convolution, or of a pooling, which pads by less than its window."""
    shape = call.shape()
    rank = len(kernel)
    if len(shape) != rank + 2:
        raise OpError(f"it needs {rank + 2} axes (batch, channels, {rank} spatial)")
    stride, dilation = axes_of(call, "strides", rank), axes_of(call, "dilations", rank)
    auto = call.text("auto_pad", "NOTSET")
    if auto == "SAME_UPPER":
        return Place(kernel, stride, dilation, "same")
    if auto == "SAME_LOWER":
        sides = []
        for n, k, s, d in zip(shape[2:], kernel, stride, dilation, strict=True):
            total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
            sides.append((total - total // 2, total // 2))
    elif auto == "VALID":
        sides = [(0, 0)] * rank
    else:
        sides = pads_of(call, rank)
    axes = zip(kernel, dilation, sides, strict=True)
    most = [d * (k - 1) if pooling else max(s) for k, d, s in axes]
    if all(min(s) >= 0 and max(s) <= m for s, m in zip(sides, most, strict=True)):
        return Place(kernel, stride, dilation, paired(sides))
    extents = [b + n + a for n, (b, a) in zip(shape[2:], sides, strict=True)]
    padded = TensorSpec((*shape[:2], *extents), call.spec().dtype)
    pairs = [(0, 0), (0, 0), *sides]
    before, after = (tuple(pair[side] for pair in pairs) for side in (0, 1))
    pad = Rearrange("pad", (padded,), (("before", before), ("after", after), ("mode", "constant")))
    return Place(kernel, stride, dilation, (0,) * rank, ((0, "pad", pad),))


def pads_of(call: Call, rank: int) -> list[tuple[int, int]]:
    """Return the elements before and after each axis."""
    pads = call.ints("pads") or (0,) * (2 * rank)
    if len(pads) != 2 * rank:
        raise OpError(f"pads (={pads}) need {2 * rank} numbers")
    return list(zip(pads[:rank], pads[rank:], strict=True))


def axes_of(call: Call, name: str, rank: int) -> Axes:
    """Return one number per axis, 1 unless said."""
    values = call.ints(name) or (1,) * rank
    if len(values) != rank:
        raise OpError(f"{name} (={values}) need {rank} numbers")
    return values
