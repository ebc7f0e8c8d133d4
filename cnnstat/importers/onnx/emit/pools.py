"""Pooling, and the way back."""

from __future__ import annotations

from typing import Any

from cnnstat.importers.onnx.emit.windows import window_attributes
from cnnstat.importers.onnx.emitting import Emission, Emitter


def max_pool(use: Emission) -> str:
    """Write a max-pooling, with indices where they are asked for."""
    op: Any = use.op
    settings = window_attributes(use, op)
    if any(pad >= k for pad, k in zip(settings.get("pads", ()), op.kernel * 2, strict=False)):
        raise use.cannot("runtimes take no padding as long as the kernel")
    if set(op.dilation) != {1}:
        settings["dilations"] = op.dilation
    results = 2 if op.return_indices else 1
    return use.node("MaxPool", (use.input,), results=results, **settings)


def avg_pool(use: Emission) -> str:
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


def subsampling(use: Emission) -> str:
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


def adaptive(op_type: str, whole: str) -> Emitter:
    """Return the emitter of an adaptive pooling; ``whole`` pools a whole map."""

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


def max_unpool(use: Emission) -> str:
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
    use.shape_only(*use.inputs[2:])
    if any(out > n for n, out in zip(usual, made[2:], strict=True)):
        if use.facts.inputs[2].shape[1] != given[1]:
            raise use.cannot("the tensor that gives the size has other channels")
        inputs.append(use.node("Shape", use.inputs[2:], suffix="shape"))
    return use.node("MaxUnpool", inputs, kernel_shape=op.kernel, strides=op.stride, pads=pads)
