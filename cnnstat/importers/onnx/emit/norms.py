"""Normalisations: ONNX's own where opset 17 has them, else of its parts."""

from __future__ import annotations

from typing import Any

from cnnstat.importers.onnx.emitting import Emission
from cnnstat.ir.window import Axes
from cnnstat.ops.layer_norm import SMALLEST_STEP


def batch_norm(use: Emission) -> str:
    """Write a batch normalisation with stored statistics, or with those of the batch."""
    op: Any = use.op
    if not op.tracked:
        return _batch_norm_untracked(use)
    held = [use.weight(name) for name in use.weights()]
    if not op.affine:
        held = [*_scale_and_shift(use, use.facts.inputs[0].shape[1:2]), *held]
    return use.node("BatchNormalization", (use.input, *held), epsilon=op.eps)


def _batch_norm_untracked(use: Emission) -> str:
    """Normalise each channel over all images: one image whose maps hold every image's.

    [n, c, ...] -> [c, n, ...] -> [1, c, n * ...], and back.
    """
    op: Any = use.op
    shape = use.facts.inputs[0].shape
    order = (1, 0, *range(2, len(shape)))
    turned = use.node("Transpose", (use.input,), suffix="channels_first", perm=order)
    wide = use.constant((1, shape[1], -1), suffix="wide_shape", whole=True)
    one = use.node("Reshape", (turned, wide), suffix="wide")
    held = _scale_and_shift(use, shape[1:2])
    done = use.node("InstanceNormalization", (one, *held), suffix="normalized", epsilon=op.eps)
    extents = use.node("Shape", (turned,), suffix="shape")
    apart = use.node("Reshape", (done, extents), suffix="apart")
    return use.node("Transpose", (apart,), perm=order)


def _scale_and_shift(use: Emission, shape: Axes) -> tuple[str, str]:
    if "weight" in use.weights():
        return use.weight("weight"), use.weight("bias")
    return use.filled(shape, 1, suffix="scale"), use.filled(shape, 0, suffix="shift")


def instance_norm(use: Emission) -> str:
    """Write an instance normalisation."""
    op: Any = use.op
    held = _scale_and_shift(use, use.facts.inputs[0].shape[1:2])
    return use.node("InstanceNormalization", (use.input, *held), epsilon=op.eps)


def group_norm(use: Emission) -> str:
    """Normalise maps that hold a group each, then scale and shift the channels.

    [n, c, ...] -> [n, groups, c / groups * ...], and back.
    """
    op: Any = use.op
    shape = use.facts.inputs[0].shape
    extents = use.node("Shape", (use.input,), suffix="shape")
    ones, zeros = (use.filled((op.groups,), n, suffix=s) for n, s in ((1, "scale"), (0, "shift")))
    groups = use.constant((0, op.groups, -1), suffix="group_shape", whole=True)
    apart = use.node("Reshape", (use.input, groups), suffix="groups")
    inputs = (apart, ones, zeros)
    done = use.node("InstanceNormalization", inputs, suffix="normalized", epsilon=op.eps)
    whole = use.node("Reshape", (done, extents), suffix="maps" if op.affine else "")
    if not op.affine:
        return whole
    channels = (shape[1], *[1] * (len(shape) - 2))
    scaled = use.node("Mul", (whole, use.weight("weight", shape=channels)), suffix="scaled")
    return use.node("Add", (scaled, use.weight("bias", shape=channels)))


def layer_norm(use: Emission) -> str:
    """Write a layer normalisation."""
    op: Any = use.op
    names = use.weights()
    shape = use.facts.inputs[0].shape[-op.axes :]
    held = [use.weight("weight") if "weight" in names else use.filled(shape, 1, suffix="scale")]
    if "bias" in names:
        held.append(use.weight("bias"))
    return use.node("LayerNormalization", (use.input, *held), axis=-op.axes, epsilon=op.eps)


def rms_norm(use: Emission) -> str:
    """Write x / sqrt(mean of x^2 + epsilon) * scale: opset 17 has no such operator."""
    op: Any = use.op
    square = use.node("Mul", (use.input, use.input), suffix="square")
    axes = tuple(range(-op.axes, 0))
    mean = use.node("ReduceMean", (square,), suffix="mean", axes=axes, keepdims=1)
    epsilon = use.constant(SMALLEST_STEP[use.dtype] if op.eps is None else op.eps, suffix="epsilon")
    root = use.node("Sqrt", (use.node("Add", (mean, epsilon), suffix="sum"),), suffix="root")
    done = use.node("Div", (use.input, root), suffix="normalized" if op.affine else "")
    return use.node("Mul", (done, use.weight("weight"))) if op.affine else done


def local_response_norm(use: Emission) -> str:
    """Write a local response normalisation."""
    op: Any = use.op
    return use.node("LRN", (use.input,), size=op.size, alpha=op.alpha, beta=op.beta, bias=op.k)
