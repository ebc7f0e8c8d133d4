"""Windows as ONNX says them, and poolings: ``POOLS``, one line an operator."""

from __future__ import annotations

from typing import Any

from cnnstat import ops
from cnnstat.importers.onnx_file.emitting import Emission, Emitter
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


def _max_pool(use: Emission) -> str:
    op: Any = use.op
    settings = window_attributes(use, op)
    if any(pad >= k for pad, k in zip(settings.get("pads", ()), op.kernel * 2, strict=False)):
        raise use.cannot("runtimes take no padding as long as the kernel")
    if set(op.dilation) != {1}:
        settings["dilations"] = op.dilation
    results = 2 if op.return_indices else 1
    return use.node("MaxPool", (use.input,), results=results, **settings)


def _avg_pool(use: Emission) -> str:
    """Write a mean-pooling.

    What hangs over the padding is no part of a mean: where pads say it, they are not counted, and
    the padding that is counted becomes a node of its own.
    """
    op: Any = use.op
    settings = window_attributes(use, op)
    given, counted = use.input, op.count_include_pad
    if op.ceil_mode and counted and "pads" in settings and "ceil_mode" not in settings:
        counted = False
        sides = (*op.padding, *op.padding)
        settings["pads"] = [max(a - b, 0) for a, b in zip(settings["pads"], sides, strict=True)]
        if any(op.padding):
            pads = (0, 0, *op.padding, 0, 0, *op.padding)
            extra = use.constant(pads, suffix="pads", whole=True)
            given = use.node("Pad", (given, extra), suffix="pad")
    return use.node("AveragePool", (given,), count_include_pad=int(counted), **settings)


def _subsampling(use: Emission) -> str:
    """Scale a mean-pooling by coefficient times window: a sum is window times the mean."""
    op: Any = use.op
    area = op.kernel[0] * op.kernel[1]
    channels = (use.facts.inputs[0].shape[1], 1, 1)
    mean = use.node(
        "AveragePool", (use.input,), suffix="mean", kernel_shape=op.kernel, strides=op.kernel
    )
    scale = use.weight("weight", shape=channels, pick=lambda array: array * area)
    scaled = use.node("Mul", (mean, scale), suffix="scale")
    return use.node("Add", (scaled, use.weight("bias", shape=channels)))


def _adaptive(op_type: str, whole: str) -> Emitter:
    def emitter(use: Emission) -> str:
        op: Any = use.op
        given = use.facts.inputs[0].shape[2:]
        if set(op.output_size) == {1}:
            return use.node(whole, (use.input,))
        if any(n % out for n, out in zip(given, op.output_size, strict=True)):
            raise use.cannot(f"{given} elements do not divide evenly by {op.output_size}")
        kernel = [n // out for n, out in zip(given, op.output_size, strict=True)]
        return use.node(op_type, (use.input,), kernel_shape=kernel, strides=kernel)

    return emitter


def _max_unpool(use: Emission) -> str:
    """Write an unpooling; a size below the usual one takes more pads, one above is given."""
    op: Any = use.op
    given, made = use.facts.inputs[0].shape, use.facts.outputs[0].shape
    usual = [
        (n - 1) * s - 2 * p + k
        for n, s, p, k in zip(given[2:], op.stride, op.padding, op.kernel, strict=True)
    ]
    less = [max(n - out, 0) for n, out in zip(usual, made[2:], strict=True)]
    pads = (*op.padding, *[p + extra for p, extra in zip(op.padding, less, strict=True)])
    inputs = list(use.inputs[:2])
    if any(out > n for n, out in zip(usual, made[2:], strict=True)):
        if use.facts.inputs[2].shape[1] != given[1]:
            raise use.cannot("the tensor that gives the size has other channels")
        inputs.append(use.node("Shape", use.inputs[2:], suffix="shape"))
    return use.node("MaxUnpool", inputs, kernel_shape=op.kernel, strides=op.stride, pads=pads)


def _global_mean(use: Emission) -> str:
    return use.node("GlobalAveragePool", (use.input,))


POOLS: dict[type, Emitter] = {
    ops.MaxPool1d: _max_pool,
    ops.MaxPool2d: _max_pool,
    ops.MaxPool3d: _max_pool,
    ops.AvgPool1d: _avg_pool,
    ops.AvgPool2d: _avg_pool,
    ops.AvgPool3d: _avg_pool,
    ops.Subsampling: _subsampling,
    ops.AdaptiveAvgPool1d: _adaptive("AveragePool", "GlobalAveragePool"),
    ops.AdaptiveAvgPool2d: _adaptive("AveragePool", "GlobalAveragePool"),
    ops.AdaptiveAvgPool3d: _adaptive("AveragePool", "GlobalAveragePool"),
    ops.AdaptiveMaxPool1d: _adaptive("MaxPool", "GlobalMaxPool"),
    ops.AdaptiveMaxPool2d: _adaptive("MaxPool", "GlobalMaxPool"),
    ops.AdaptiveMaxPool3d: _adaptive("MaxPool", "GlobalMaxPool"),
    ops.GlobalAvgPool2d: _global_mean,
    ops.MaxUnpool2d: _max_unpool,
}
"""Poolings, and the way back; ``emitters.EMITTERS`` has every operator."""
