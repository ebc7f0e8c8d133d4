"""Windows as attributes of ONNX nodes."""

from __future__ import annotations

from typing import Any

from cnnstat.importers.onnx.emitting import Emission
from cnnstat.ir.window import Window


def window_attributes(use: Emission, op: Any) -> dict[str, Any]:
    """Return the attributes of a window.

    Runtimes have no ``SAME_UPPER`` with dilation, and not all drop a window that would start in the
    padding behind the axis, as ``ceil_mode`` does here: both are said by pads of two sides.
    """
    found: dict[str, Any] = {"kernel_shape": op.kernel, "strides": op.stride}
    dilated = set(getattr(op, "dilation", (1,))) != {1}
    ceil = getattr(op, "ceil_mode", False)
    if op.padding == "same" and not dilated:
        return {**found, "auto_pad": "SAME_UPPER"}
    if op.padding != "same" and not ceil:
        return {**found, "pads": (*op.padding, *op.padding)}
    extents, made = use.facts.inputs[0].shape[2:], use.facts.outputs[0].shape[2:]
    windows = op.windows(extents)
    axes = list(zip(windows, extents, made, strict=True))
    if ceil and all(-(-_span(w, n) // w.stride) + 1 == out for w, n, out in axes):
        return {**found, "pads": (*op.padding, *op.padding), "ceil_mode": 1}
    after = [max((out - 1) * w.stride + w.extent - n - w.before, 0) for w, n, out in axes]
    return {**found, "pads": (*[w.before for w in windows], *after)}


def _span(window: Window, n: int) -> int:
    return n + window.before + window.after - window.extent
