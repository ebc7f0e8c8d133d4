"""Operator class -> what computes it in PyTorch: ``MAKERS``, one line an operator.

A maker gets the operator and the facts of its node and returns an ``nn.Module``, or a ``Function``
where PyTorch has a plain function and no weights are held. Modules come uninitialised;
``initialize`` fills them. Numbers that act on a tensor and arguments of moves are not part of the
graph, which knows shapes only: operators that depend on them (``UNBUILDABLE``, some kinds of
``Pointwise``) raise.

First weights are drawn as the papers do it, from a generator of their own: the global random state
stays as it was. The draws are made on the CPU in float32 and then copied, so that a seed gives the
same weights on every device.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from math import sqrt
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnnstat import ops
from cnnstat.errors import ModelError
from cnnstat.ir.graph import NodeFacts
from cnnstat.ir.op import Op
from cnnstat.ir.window import Window
from cnnstat.pytorch import layers
from cnnstat.pytorch.layers import of_rank


class Function(NamedTuple):
    """A function of tensors; ``form``: it takes them one by one, as a list, or folds two by two."""

    target: Callable[..., Any]
    form: Literal["spread", "list", "fold"] = "spread"
    arguments: tuple[int, ...] = ()


Maker = Callable[[Any, NodeFacts], nn.Module | Function | None]


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


def convolution(op: ops.Conv1d | ops.Conv2d | ops.Conv3d, facts: NodeFacts) -> Any:
    """Return a convolution, after an explicit padding where the two sides differ."""
    channels, extents = facts.inputs[0].shape[1], facts.inputs[0].shape[2:]
    windows = op.windows(extents)
    padding = symmetric(windows)
    source, name = (layers, "PaddedConv") if padding is None else (nn, "Conv")
    window = op.kernel, op.stride, padding or 0, op.dilation
    made: Any = of_rank(source, name, op.rank)(
        channels, op.out_channels, *window, op.groups, op.bias
    )
    if padding is None:
        made.pads = pads(windows, extents)
    return made


def transposed(op: layers.TransposedOp, facts: NodeFacts) -> nn.Module:
    """Return a transposed convolution; a second input or uneven padding shapes its result."""
    windows = op.windows()
    padding = symmetric(windows)
    plain = len(facts.inputs) == 1 and padding is not None
    source, name = (nn, "ConvTranspose") if plain else (layers, "ShapedConvTranspose")
    made: nn.Module = of_rank(source, name, op.rank)(
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
    if isinstance(made, layers.ShapedConvTranspose):
        made.cuts = tuple((w.before, w.after) for w in windows)
    return made


def max_pool(op: layers.MaxPoolOp, facts: NodeFacts) -> Any:
    """Return a max-pooling of 1, 2 or 3 axes."""
    extents = facts.inputs[0].shape[2:]
    windows = op.windows(extents)
    padding = symmetric(windows, pooling=True)
    if padding is None:
        return layers.PaddedMaxPool(op, pads(windows, extents))
    return of_rank(nn, "MaxPool", op.rank)(
        op.kernel, op.stride, padding, op.dilation, op.return_indices, op.ceil_mode
    )


def avg_pool(op: layers.AvgPoolOp, facts: NodeFacts) -> Any:
    """Return a mean-pooling of 1, 2 or 3 axes."""
    extents = facts.inputs[0].shape[2:]
    windows = op.windows(extents)
    padding = symmetric(windows, pooling=True)
    if padding is None:
        sides = tuple(side for w in reversed(windows) for side in (w.before, w.after))
        return layers.PaddedAvgPool(op, pads(windows, extents), sides)
    return of_rank(nn, "AvgPool", op.rank)(
        op.kernel, op.stride, padding, op.ceil_mode, op.count_include_pad
    )


def batch_norm(op: ops.BatchNorm2d, facts: NodeFacts) -> Any:
    """Return a batch normalisation for the rank of the input."""
    shape = facts.inputs[0].shape
    return of_rank(nn, "BatchNorm", max(len(shape) - 2, 1))(
        shape[1], op.eps, affine=op.affine, track_running_stats=op.tracked
    )


def instance_norm(op: ops.InstanceNorm, facts: NodeFacts) -> Any:
    """Return an instance normalisation for the rank of the input."""
    shape = facts.inputs[0].shape
    made: nn.Module = of_rank(nn, "InstanceNorm", len(shape) - 2)(
        shape[1], op.eps, affine=op.affine
    )
    return made


KINDS = {
    1: "reciprocal sqrt rsqrt exp log sin cos neg abs sign",
    2: "add sub rsub mul div remainder floor_divide pow maximum minimum",
    3: "where addcmul addcdiv lerp",
}
POINTWISE: dict[tuple[str, int], Callable[..., Tensor]] = {
    (kind, count): getattr(torch, kind) for count, kinds in KINDS.items() for kind in kinds.split()
}
"""Kinds of ``Pointwise`` by number of tensors that need nothing else to be computed."""

RECURRENT: dict[str, type[Any]] = {"LSTM": layers.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}


def nonlinearity(op: ops.Nonlinearity, facts: NodeFacts) -> Any:
    """Return the nonlinearity of that name."""
    if op.kind == "Erf":
        return Function(torch.erf)
    usual = (0.0, 0.0) if op.kind == "Threshold" else ()
    return getattr(nn, op.kind)(*(op.numbers or usual))


def pointwise(op: ops.Pointwise, facts: NodeFacts) -> Function:
    """Return elementwise arithmetic of tensors; raise where a number is missing."""
    function = POINTWISE.get((op.kind, len(facts.inputs)))
    if function is None:
        raise ModelError(
            f"{op.kind} of {len(facts.inputs)} tensors has arguments that the graph does not keep, "
            "so there is nothing to run in PyTorch"
        )
    return Function(function)


def recurrent(op: ops.Recurrent, facts: NodeFacts) -> Any:
    """Return the recurrent layers; raise where sequences of several lengths are packed."""
    if op.sequences:
        raise ModelError(f"{op.type_name}: the lengths of packed sequences are not in the graph")
    return RECURRENT[op.kind](
        facts.inputs[0].shape[-1],
        op.hidden,
        op.layers,
        bias=op.bias,
        batch_first=op.batch_first,
        bidirectional=op.directions == 2,
        **({"proj_size": op.projection} if op.projection else {}),
    )


def reduction(op: ops.Reduce, facts: NodeFacts) -> nn.Module:
    """Return a reduction over the axes, all of them named."""
    rank = facts.inputs[0].rank
    axes = tuple(sorted({axis % rank for axis in op.axes})) or tuple(range(rank))
    return layers.Reduce(op, axes)


def unbuildable(op: Op, facts: NodeFacts) -> nn.Module:
    """Raise ``ModelError``: of a captured move only the name and the shapes are known."""
    raise ModelError(
        f"{op.type_name} is known by its shapes alone, so there is nothing to run in PyTorch"
    )


ADAPTIVE: tuple[type[Op], ...] = (
    *(ops.AdaptiveAvgPool1d, ops.AdaptiveAvgPool2d, ops.AdaptiveAvgPool3d),
    *(ops.AdaptiveMaxPool1d, ops.AdaptiveMaxPool2d, ops.AdaptiveMaxPool3d),
)
UNBUILDABLE: tuple[type[Op], ...] = (
    *(ops.View, ops.Rearrange, ops.Parameter, ops.DeformConv2d, ops.Function, ops.Opaque),
)
"""Operators that importers carry and that cannot be built from the graph."""

MAKERS: Mapping[type[Op], Maker] = {
    ops.Input: lambda op, facts: None,
    **dict.fromkeys((ops.Conv1d, ops.Conv2d, ops.Conv3d), convolution),
    ops.ConnectedConv2d: lambda op, facts: layers.ConnectedConv2d(op),
    **dict.fromkeys((ops.ConvTranspose1d, ops.ConvTranspose2d, ops.ConvTranspose3d), transposed),
    ops.Linear: lambda op, facts: nn.Linear(
        facts.inputs[0].shape[-1], op.out_features, bias=op.bias
    ),
    ops.RBF: lambda op, facts: layers.RBF(op.units, facts.inputs[0].shape[1]),
    **dict.fromkeys((ops.MaxPool1d, ops.MaxPool2d, ops.MaxPool3d), max_pool),
    **dict.fromkeys((ops.AvgPool1d, ops.AvgPool2d, ops.AvgPool3d), avg_pool),
    ops.Subsampling: lambda op, facts: layers.Subsampling(facts.inputs[0].shape[1], op.kernel),
    **dict.fromkeys(ADAPTIVE, lambda op, facts: getattr(nn, op.type_name)(op.output_size)),
    ops.GlobalAvgPool2d: lambda op, facts: nn.AdaptiveAvgPool2d(1),
    ops.MaxUnpool2d: lambda op, facts: layers.MaxUnpool2d(op.kernel, op.stride, op.padding),
    ops.BatchNorm2d: batch_norm,
    ops.LocalResponseNorm: lambda op, facts: nn.LocalResponseNorm(op.size, op.alpha, op.beta, op.k),
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
    ops.ZeroPadShortcut: lambda op, facts: layers.ZeroPadShortcut(
        op.stride, op.out_channels - facts.inputs[0].shape[1]
    ),
    ops.LayerNorm: lambda op, facts: nn.LayerNorm(
        facts.inputs[0].shape[-op.axes :], op.eps, op.affine, op.bias
    ),
    ops.RMSNorm: lambda op, facts: nn.RMSNorm(
        list(facts.inputs[0].shape[-op.axes :]), op.eps, op.affine
    ),
    ops.GroupNorm: lambda op, facts: nn.GroupNorm(
        op.groups, facts.inputs[0].shape[1], op.eps, op.affine
    ),
    ops.InstanceNorm: instance_norm,
    ops.WeightNorm: lambda op, facts: Function(
        torch.ops.aten._weight_norm_interface, "spread", (op.axis,)
    ),
    ops.Nonlinearity: nonlinearity,
    ops.PReLU: lambda op, facts: nn.PReLU(op.slopes),
    ops.Pointwise: pointwise,
    ops.MatMul: lambda op, facts: layers.MatMul(),
    ops.Attention: lambda op, facts: Function(functional.scaled_dot_product_attention),
    ops.Recurrent: recurrent,
    ops.Reduce: reduction,
    ops.Fold: lambda op, facts: nn.Fold(
        op.output_size, op.kernel, op.dilation, op.padding, op.stride
    ),
    ops.Interpolate: lambda op, facts: layers.Interpolate(op),
    ops.Embedding: lambda op, facts: nn.Embedding(op.rows, op.width),
    **dict.fromkeys(UNBUILDABLE, unbuildable),
}
"""Every operator of ``ops.ALL_OPS``; None stands for what enters from outside."""


def make(op: Op, facts: NodeFacts) -> nn.Module | Function | None:
    """Return what computes ``op``; raise ``ModelError`` where the table has no line for it."""
    maker = MAKERS.get(type(op))
    if maker is None:
        raise ModelError(f"{op.type_name} has no line in the PyTorch table")
    return maker(op, facts)


Scheme = Literal["he", "he-fan-out", "xavier", "gaussian", "lecun"]
Draw = Callable[[Tensor, float, float, torch.Generator], Tensor]
"""Fills a tensor from its fan-in, fan-out and a generator."""

SCHEMES: dict[Scheme, Draw] = {
    "he": lambda t, fan_in, fan_out, g: t.normal_(0, sqrt(2 / fan_in), generator=g),
    "he-fan-out": lambda t, fan_in, fan_out, g: t.normal_(0, sqrt(2 / fan_out), generator=g),
    "xavier": lambda t, fan_in, fan_out, g: _uniform(t, sqrt(6 / (fan_in + fan_out)), g),
    "gaussian": lambda t, fan_in, fan_out, g: t.normal_(0, 0.01, generator=g),
    "lecun": lambda t, fan_in, fan_out, g: _uniform(t, 2.4 / fan_in, g),
}
"""He et al. 2015 (by fan-in, by fan-out); Glorot and Bengio 2010; Krizhevsky et al. 2012 (standard
deviation 0.01); LeCun et al. 1998 (between -2.4/fan_in and 2.4/fan_in)."""

WORDS: tuple[tuple[str, Scheme], ...] = (
    ("he et al. 2015, by fan-out", "he-fan-out"),
    ("he et al", "he"),
    ("xavier", "xavier"),
    ("glorot", "xavier"),
    ("lecun", "lecun"),
    ("2.4", "lecun"),
    ("0.01", "gaussian"),
)
"""Words by which a card's sentence is recognised: the first in the sentence, then the earlier line
here; without any of them it is He's."""


def scheme_of(sentence: str) -> Scheme:
    """Return the scheme that a card's sentence on initialisation names."""
    text = sentence.lower()
    ranked = [(text.index(word), rank) for rank, (word, _) in enumerate(WORDS) if word in text]
    return WORDS[min(ranked)[1]][1] if ranked else "he"


def _uniform(tensor: Tensor, bound: float, generator: torch.Generator) -> Tensor:
    return tensor.uniform_(-bound, bound, generator=generator)


@torch.no_grad()
def initialize(
    module: nn.Module, facts: NodeFacts, *, scheme: Scheme, generator: torch.Generator
) -> None:
    """Fill every tensor of one node's module."""
    if isinstance(module, layers.ConnectedConv2d):
        module.fill_tables(module.weight.device)
    fan_in, fan_out = fans(facts)
    for weight in facts.weights:
        tensor: Tensor = getattr(module, weight.name)
        normalizes = facts.work is not None and facts.work.normalized > 0
        if weight.name == "running_var" or (normalizes and weight.role == "weight"):
            tensor.fill_(1)
        elif weight.role == "weight":
            tensor.copy_(SCHEMES[scheme](_blank(weight.shape), fan_in, fan_out, generator))
        elif weight.name == "codes":
            tensor.copy_(_blank(weight.shape).bernoulli_(0.5, generator=generator).mul_(2).sub_(1))
        else:
            tensor.zero_()
    batches = getattr(module, "num_batches_tracked", None)
    if batches is not None:
        batches.zero_()


def fans(facts: NodeFacts) -> tuple[float, float]:
    """Return the mean number of inputs that an output reads, and of outputs that read an input.

    They are the MACs per output element and per input element.
    """
    entering, leaving = facts.inputs[0].numel, facts.outputs[0].numel
    macs = facts.work.macs if facts.work is not None else 0
    terms = macs or entering
    return terms / leaving, terms / entering


def _blank(shape: tuple[int, ...]) -> Tensor:
    return torch.empty(shape, dtype=torch.float32, device="cpu")
