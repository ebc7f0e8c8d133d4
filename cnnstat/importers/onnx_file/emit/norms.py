"""Normalisations."""

from __future__ import annotations

from typing import Any

from cnnstat.importers.onnx_file.emitting import Emission
from cnnstat.ir.window import Axes


def batch_norm(use: Emission) -> str:
    """Write a batch normalisation with stored statistics."""
    op: Any = use.op
    if not op.tracked:
        raise use.cannot("ONNX normalises with stored statistics")
    held = [use.weight(name) for name in use.weights()]
    if not op.affine:
        shape = (use.facts.inputs[0].shape[1],)
        ones, zeros = (use.filled(shape, n, suffix=s) for n, s in ((1, "scale"), (0, "shift")))
        held = [ones, zeros, *held]
    return use.node("BatchNormalization", (use.input, *held), epsilon=1e-5)


def _scale_and_shift(use: Emission, shape: Axes) -> tuple[str, str]:
    if "weight" in use.weights():
        return use.weight("weight"), use.weight("bias")
    return use.filled(shape, 1, suffix="scale"), use.filled(shape, 0, suffix="shift")


def instance_norm(use: Emission) -> str:
    """Write an instance normalisation."""
    held = _scale_and_shift(use, use.facts.inputs[0].shape[1:2])
    return use.node("InstanceNormalization", (use.input, *held), epsilon=1e-5)


def layer_norm(use: Emission) -> str:
    """Write a layer normalisation."""
    op: Any = use.op
    names = use.weights()
    shape = use.facts.inputs[0].shape[-op.axes :]
    held = [use.weight("weight") if "weight" in names else use.filled(shape, 1, suffix="scale")]
    if "bias" in names:
        held.append(use.weight("bias"))
    return use.node("LayerNormalization", (use.input, *held), axis=-op.axes, epsilon=1e-5)


def local_response_norm(use: Emission) -> str:
    """Write a local response normalisation."""
    op: Any = use.op
    return use.node("LRN", (use.input,), size=op.size, alpha=op.alpha, beta=op.beta, bias=op.k)
