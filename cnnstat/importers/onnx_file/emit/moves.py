"""Elements that only move."""

from __future__ import annotations

from typing import Any

from cnnstat.importers.onnx_file.emitting import Emission


def concat(use: Emission) -> str:
    """Write a concatenation."""
    op: Any = use.op
    return use.node("Concat", use.inputs, axis=op.axis)


def zero_pad(use: Emission) -> str:
    """Write ResNet's option A: a slice, then channels of zeros."""
    op: Any = use.op
    thinned, missing = use.input, op.out_channels - use.facts.inputs[0].shape[1]
    if op.stride > 1:
        starts = use.constant([0, 0], suffix="starts", whole=True)
        ends = use.constant([2**31 - 1] * 2, suffix="ends", whole=True)
        axes = use.constant([2, 3], suffix="axes", whole=True)
        steps = use.constant([op.stride] * 2, suffix="steps", whole=True)
        inputs = (thinned, starts, ends, axes, steps)
        thinned = use.node("Slice", inputs, suffix="thinned" if missing else "")
    if not missing:
        return thinned if op.stride > 1 else use.node("Identity", (thinned,))
    pads = use.constant([0, 0, 0, 0, 0, missing, 0, 0], suffix="pads", whole=True)
    return use.node("Pad", (thinned, pads))
