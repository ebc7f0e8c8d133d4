"""Operator class -> what computes it in PyTorch: ``MAKERS``, one line an operator.

A maker gets the operator and the facts of its node and returns an ``nn.Module``, or a ``Function``
where PyTorch has a plain function and no weights are held. Modules come uninitialised;
``initialize`` fills them.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from cnnstat import ops
from cnnstat.errors import ModelError
from cnnstat.ir.graph import NodeFacts
from cnnstat.ir.op import Op
from cnnstat.ir.window import Window
from cnnstat.pytorch import general, layers
from cnnstat.pytorch.function import Function, Maker


def symmetric(windows: tuple[Window, ...], *, pooling: bool = False) -> tuple[int, ...] | None:
    """Return the padding of each axis, or None where PyTorch's layer cannot pad like this.

    It pads both sides of an axis alike, a pooling by at most half its kernel.
    """
    if any(w.before != w.after or (pooling and 2 * w.before > w.kernel) for w in windows):
        return None
    return tuple(window.before for window in windows)


def pads(windows: tuple[Window, ...], extents: tuple[int, ...]) -> layers.Pads:
    """Return what an explicit padding adds to both sides of each axis, the last axis first."""
    axes = list(zip(windows, extents, strict=True))
    return tuple(side for window, n in reversed(axes) for side in window.padding_read(n))


CONVOLUTIONS: dict[int, tuple[type[Any], type[Any]]] = {
    1: (nn.Conv1d, layers.PaddedConv1d),
    2: (nn.Conv2d, layers.PaddedConv2d),
    3: (nn.Conv3d, layers.PaddedConv3d),
}
TRANSPOSED: dict[int, tuple[type[Any], type[Any]]] = {
    1: (nn.ConvTranspose1d, layers.ShapedConvTranspose1d),
    2: (nn.ConvTranspose2d, layers.ShapedConvTranspose2d),
    3: (nn.ConvTranspose3d, layers.ShapedConvTranspose3d),
}
MAX_POOLS: dict[int, type[Any]] = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVG_POOLS: dict[int, type[Any]] = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
BATCH_NORMS: dict[int, type[nn.Module]] = {
    2: nn.BatchNorm1d,
    3: nn.BatchNorm1d,
    4: nn.BatchNorm2d,
    5: nn.BatchNorm3d,
}


def convolution(op: ops.Conv1d | ops.Conv2d | ops.Conv3d, facts: NodeFacts) -> Any:
    """Return a convolution, after an explicit padding where the two sides differ."""
    channels, *extents = facts.inputs[0].shape[1:]
    windows = op.windows(tuple(extents))
    padding = symmetric(windows)
    plain, padded = CONVOLUTIONS[op.rank]
    arguments: dict[str, Any] = {
        "kernel_size": op.kernel,
        "stride": op.stride,
        "dilation": op.dilation,
        "groups": op.groups,
        "bias": op.bias,
    }
    if padding is not None:
        return plain(channels, op.out_channels, padding=padding, **arguments)
    made: Any = padded(channels, op.out_channels, **arguments)
    made.pads = pads(windows, tuple(extents))
    return made


def transposed(op: layers.TransposedOp, facts: NodeFacts) -> nn.Module:
    """Return a transposed convolution; a second input or uneven padding shapes its result."""
    plain, shaped = TRANSPOSED[op.rank]
    windows = op.windows()
    padding = symmetric(windows)
    kind = plain if len(facts.inputs) == 1 and padding is not None else shaped
    made: Any = kind(
        facts.inputs[0].shape[1],
        op.out_channels,
        op.kernel,
        op.stride,
        padding or tuple(min(w.before, w.after) for w in windows),
        op.output_padding,
        op.groups,
        op.bias,
        op.dilation,
    )
    if kind is shaped:
        made.cuts = tuple((w.before, w.after) for w in windows)
    result: nn.Module = made
    return result


def linear(op: ops.Linear, facts: NodeFacts) -> nn.Module:
    """Return a fully connected layer."""
    return nn.Linear(facts.inputs[0].shape[-1], op.out_features, bias=op.bias)


def max_pool(op: layers.MaxPoolOp, facts: NodeFacts) -> nn.Module:
    """Return a max-pooling of 1, 2 or 3 axes."""
    extents = facts.inputs[0].shape[2:]
    windows = op.windows(extents)
    padding = symmetric(windows, pooling=True)
    if padding is None:
        return layers.PaddedMaxPool(op, pads(windows, extents))
    made: nn.Module = MAX_POOLS[op.rank](
        op.kernel, op.stride, padding, op.dilation, op.return_indices, op.ceil_mode
    )
    return made


def avg_pool(op: layers.AvgPoolOp, facts: NodeFacts) -> nn.Module:
    """Return a mean-pooling of 1, 2 or 3 axes."""
    extents = facts.inputs[0].shape[2:]
    windows = op.windows(extents)
    padding = symmetric(windows, pooling=True)
    if padding is None:
        sides = tuple(side for w in reversed(windows) for side in (w.before, w.after))
        return layers.PaddedAvgPool(op, pads(windows, extents), sides)
    made: nn.Module = AVG_POOLS[op.rank](
        op.kernel, op.stride, padding, op.ceil_mode, op.count_include_pad
    )
    return made


def batch_norm(op: ops.BatchNorm2d, facts: NodeFacts) -> nn.Module:
    """Return a batch normalisation for the rank of the input."""
    kind: type[Any] = BATCH_NORMS[facts.inputs[0].rank]
    made: nn.Module = kind(
        facts.inputs[0].shape[1], op.eps, affine=op.affine, track_running_stats=op.tracked
    )
    return made


def local_response_norm(op: ops.LocalResponseNorm, facts: NodeFacts) -> nn.Module:
    """Return a local response normalisation; both sides divide alpha by the size."""
    return nn.LocalResponseNorm(op.size, op.alpha, op.beta, op.k)


def zero_pad_shortcut(op: ops.ZeroPadShortcut, facts: NodeFacts) -> nn.Module:
    """Return ResNet's option A."""
    return layers.ZeroPadShortcut(op.stride, op.out_channels - facts.inputs[0].shape[1])


def pair(values: tuple[int, ...]) -> tuple[int, int]:
    """Return the values of height and width."""
    height, width = values
    return height, width


MAKERS: Mapping[type[Op], Maker] = {
    ops.Input: lambda op, facts: None,
    ops.Conv1d: convolution,
    ops.Conv2d: convolution,
    ops.Conv3d: convolution,
    ops.ConnectedConv2d: lambda op, facts: layers.ConnectedConv2d(op),
    ops.ConvTranspose1d: transposed,
    ops.ConvTranspose2d: transposed,
    ops.ConvTranspose3d: transposed,
    ops.Linear: linear,
    ops.RBF: lambda op, facts: layers.RBF(op.units, facts.inputs[0].shape[1]),
    ops.MaxPool1d: max_pool,
    ops.MaxPool2d: max_pool,
    ops.MaxPool3d: max_pool,
    ops.AvgPool1d: avg_pool,
    ops.AvgPool2d: avg_pool,
    ops.AvgPool3d: avg_pool,
    ops.Subsampling: lambda op, facts: layers.Subsampling(
        facts.inputs[0].shape[1], pair(op.kernel)
    ),
    ops.AdaptiveAvgPool1d: lambda op, facts: nn.AdaptiveAvgPool1d(op.output_size),
    ops.AdaptiveAvgPool2d: lambda op, facts: nn.AdaptiveAvgPool2d(op.output_size),
    ops.AdaptiveAvgPool3d: lambda op, facts: nn.AdaptiveAvgPool3d(op.output_size),
    ops.AdaptiveMaxPool1d: lambda op, facts: nn.AdaptiveMaxPool1d(op.output_size),
    ops.AdaptiveMaxPool2d: lambda op, facts: nn.AdaptiveMaxPool2d(op.output_size),
    ops.AdaptiveMaxPool3d: lambda op, facts: nn.AdaptiveMaxPool3d(op.output_size),
    ops.GlobalAvgPool2d: lambda op, facts: nn.AdaptiveAvgPool2d(1),
    ops.MaxUnpool2d: lambda op, facts: layers.MaxUnpool2d(
        pair(op.kernel), pair(op.stride), pair(op.padding)
    ),
    ops.BatchNorm2d: batch_norm,
    ops.LocalResponseNorm: local_response_norm,
    ops.ReLU: lambda op, facts: nn.ReLU(),
    ops.Tanh: lambda op, facts: nn.Tanh(),
    ops.ScaledTanh: lambda op, facts: layers.ScaledTanh(op.amplitude, op.slope),
    ops.Sigmoid: lambda op, facts: nn.Sigmoid(),
    ops.Softmax: lambda op, facts: nn.Softmax(op.axis),
    ops.LogSoftmax: lambda op, facts: nn.LogSoftmax(op.axis),
    ops.Dropout: lambda op, facts: nn.Dropout(op.p),
    ops.DropPath: lambda op, facts: layers.DropPath(op.survival),
    ops.Add: lambda op, facts: Function(operator.add, "fold"),
    ops.FractalJoin: lambda op, facts: layers.FractalJoin(op.drop_path),
    ops.Concat: lambda op, facts: Function(torch.cat, "list", (op.axis,)),
    ops.Flatten: lambda op, facts: Function(torch.flatten, "spread", (1,)),
    ops.ZeroPadShortcut: zero_pad_shortcut,
    **general.MAKERS,
}
"""Every operator of ``ops.ALL_OPS``; None stands for what enters from outside."""


def make(op: Op, facts: NodeFacts) -> nn.Module | Function | None:
    """Return what computes ``op``; raise ``ModelError`` where the table has no line for it."""
    maker = MAKERS.get(type(op))
    if maker is None:
        raise ModelError(f"{op.type_name} has no line in the PyTorch table")
    return maker(op, facts)
