"""Makers of what goes beyond the zoo: normalisations, products, reductions, recurrent layers.

Numbers that act on a tensor and arguments of moves are not part of the graph, which knows shapes
only: operators that depend on them (``UNBUILDABLE``, some kinds of ``Pointwise``) raise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnnstat import ops
from cnnstat.errors import ModelError
from cnnstat.ir.graph import NodeFacts
from cnnstat.ir.op import Op
from cnnstat.pytorch.function import Function, Maker

INSTANCE_NORMS: dict[int, type[Any]] = {
    3: nn.InstanceNorm1d,
    4: nn.InstanceNorm2d,
    5: nn.InstanceNorm3d,
}
POINTWISE: dict[tuple[str, int], Callable[..., Tensor]] = {
    ("add", 2): torch.add,
    ("sub", 2): torch.sub,
    ("rsub", 2): torch.rsub,
    ("mul", 2): torch.mul,
    ("div", 2): torch.div,
    ("remainder", 2): torch.remainder,
    ("floor_divide", 2): torch.floor_divide,
    ("pow", 2): torch.pow,
    ("maximum", 2): torch.maximum,
    ("minimum", 2): torch.minimum,
    ("where", 3): torch.where,
    ("addcmul", 3): torch.addcmul,
    ("addcdiv", 3): torch.addcdiv,
    ("lerp", 3): torch.lerp,
    ("reciprocal", 1): torch.reciprocal,
    ("sqrt", 1): torch.sqrt,
    ("rsqrt", 1): torch.rsqrt,
    ("exp", 1): torch.exp,
    ("log", 1): torch.log,
    ("sin", 1): torch.sin,
    ("cos", 1): torch.cos,
    ("neg", 1): torch.neg,
    ("abs", 1): torch.abs,
    ("sign", 1): torch.sign,
}
"""Kinds of ``Pointwise`` by number of tensors that need nothing else to be computed."""

REDUCTIONS: dict[str, Callable[[Tensor, tuple[int, ...], bool], Any]] = {
    "sum": lambda x, axes, keep: x.sum(axes, keep),
    "mean": lambda x, axes, keep: x.mean(axes, keep),
    "max": lambda x, axes, keep: x.amax(axes, keep),
    "min": lambda x, axes, keep: x.amin(axes, keep),
    "argmax": lambda x, axes, keep: x.argmax(_single(axes, x), keep),
    "argmin": lambda x, axes, keep: x.argmin(_single(axes, x), keep),
    "any": lambda x, axes, keep: x.any(axes, keep),
    "all": lambda x, axes, keep: x.all(axes, keep),
    "norm": lambda x, axes, keep: torch.linalg.vector_norm(x, 2, axes, keep),
    "l1": lambda x, axes, keep: torch.linalg.vector_norm(x, 1, axes, keep),
    "sum_square": lambda x, axes, keep: x.square().sum(axes, keep),
    "log_sum": lambda x, axes, keep: x.sum(axes, keep).log(),
    "var": lambda x, axes, keep: x.var(axes, keepdim=keep),
    "std": lambda x, axes, keep: x.std(axes, keepdim=keep),
    "prod": lambda x, axes, keep: x.prod(axes[0], keep),
    "logsumexp": lambda x, axes, keep: x.logsumexp(axes, keep),
    "cumsum": lambda x, axes, keep: x.cumsum(axes[0]),
    "cumprod": lambda x, axes, keep: x.cumprod(axes[0]),
}
MODES = {("linear", 1): "linear", ("linear", 2): "bilinear", ("linear", 3): "trilinear"}
"""PyTorch's names of a mode by the number of axes, where they differ from cnnstat's."""


def _single(axes: tuple[int, ...], x: Tensor) -> int | None:
    return axes[0] if len(axes) == 1 < x.dim() else None


class LSTM(nn.LSTM):
    """An LSTM whose results are one flat tuple: sequence, hidden state, cell state."""

    def forward(self, input: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        """(n, l, in) -> (n, l, out), (layers, n, hidden), (layers, n, hidden)."""
        sequence, states = super().forward(input)
        return (sequence, *states)


RECURRENT: dict[str, type[Any]] = {"LSTM": LSTM, "GRU": nn.GRU, "RNN": nn.RNN}


class Reduce(nn.Module):
    """One value of all elements along axes."""

    def __init__(self, op: ops.Reduce, axes: tuple[int, ...]) -> None:
        super().__init__()
        self.op, self.axes = op, axes

    def forward(self, input: Tensor) -> Any:
        """Any -> the reduced values, and their positions where asked for."""
        if self.op.with_indices:
            extreme = torch.max if self.op.kind == "max" else torch.min
            return tuple(extreme(input, self.axes[0], self.op.keepdim))
        return REDUCTIONS[self.op.kind](input, self.axes, self.op.keepdim)


class MatMul(nn.Module):
    """A matrix product; a module, since fvcore counts by module."""

    def forward(self, left: Tensor, right: Tensor, added: Tensor | None = None) -> Tensor:
        """[..., m, k] [..., k, n] -> [..., m, n], plus a third tensor where there is one."""
        product = torch.matmul(left, right)
        return product if added is None else product + added


class Interpolate(nn.Module):
    """Maps resampled to a fixed size."""

    def __init__(self, op: ops.Interpolate) -> None:
        super().__init__()
        self.extents = op.output_size
        self.mode = MODES.get((op.mode, len(op.output_size)), op.mode)

    def forward(self, input: Tensor) -> Tensor:
        """(n, c, ...) -> (n, c, *extents)."""
        return functional.interpolate(input, self.extents, mode=self.mode)


def layer_norm(op: ops.LayerNorm, facts: NodeFacts) -> nn.Module:
    """Return a layer normalisation."""
    shape = facts.inputs[0].shape[-op.axes :]
    return nn.LayerNorm(shape, op.eps, op.affine, op.bias)


def rms_norm(op: ops.RMSNorm, facts: NodeFacts) -> nn.Module:
    """Return an RMS normalisation."""
    return nn.RMSNorm(list(facts.inputs[0].shape[-op.axes :]), op.eps, op.affine)


def instance_norm(op: ops.InstanceNorm, facts: NodeFacts) -> nn.Module:
    """Return an instance normalisation for the rank of the input."""
    made: nn.Module = INSTANCE_NORMS[facts.inputs[0].rank](
        facts.inputs[0].shape[1], op.eps, affine=op.affine
    )
    return made


def nonlinearity(op: ops.Nonlinearity, facts: NodeFacts) -> nn.Module | Function:
    """Return the nonlinearity of that name."""
    if op.kind == "Erf":
        return Function(torch.erf)
    usual = (0.0, 0.0) if op.kind == "Threshold" else ()
    made: nn.Module = getattr(nn, op.kind)(*(op.numbers or usual))
    return made


def pointwise(op: ops.Pointwise, facts: NodeFacts) -> Function:
    """Return elementwise arithmetic of tensors; raise where a number is missing."""
    function = POINTWISE.get((op.kind, len(facts.inputs)))
    if function is None:
        raise ModelError(
            f"{op.kind} of {len(facts.inputs)} tensors has arguments that the graph does not keep, "
            "so there is nothing to run in PyTorch"
        )
    return Function(function)


def attention(op: ops.Attention, facts: NodeFacts) -> Function:
    """Return scaled dot-product attention."""
    return Function(functional.scaled_dot_product_attention)


def recurrent(op: ops.Recurrent, facts: NodeFacts) -> nn.Module:
    """Return the recurrent layers; raise where sequences of several lengths are packed."""
    if op.sequences:
        raise ModelError(f"{op.type_name}: the lengths of packed sequences are not in the graph")
    made: nn.Module = RECURRENT[op.kind](
        facts.inputs[0].shape[-1],
        op.hidden,
        op.layers,
        bias=op.bias,
        batch_first=op.batch_first,
        bidirectional=op.directions == 2,
        **({"proj_size": op.projection} if op.projection else {}),
    )
    return made


def reduction(op: ops.Reduce, facts: NodeFacts) -> nn.Module:
    """Return a reduction over the axes, all of them named."""
    rank = facts.inputs[0].rank
    axes = tuple(sorted({axis % rank for axis in op.axes})) or tuple(range(rank))
    return Reduce(op, axes)


def unbuildable(op: Op, facts: NodeFacts) -> nn.Module:
    """Raise ``ModelError``: of a captured move only the name and the shapes are known."""
    raise ModelError(
        f"{op.type_name} is known by its shapes alone, so there is nothing to run in PyTorch"
    )


MAKERS: dict[type[Op], Maker] = {
    ops.LayerNorm: layer_norm,
    ops.RMSNorm: rms_norm,
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
    ops.MatMul: lambda op, facts: MatMul(),
    ops.Attention: attention,
    ops.Recurrent: recurrent,
    ops.Reduce: reduction,
    ops.Fold: lambda op, facts: nn.Fold(
        op.output_size, op.kernel, op.dilation, op.padding, op.stride
    ),
    ops.Interpolate: lambda op, facts: Interpolate(op),
    ops.Embedding: lambda op, facts: nn.Embedding(op.rows, op.width),
    ops.View: unbuildable,
    ops.Rearrange: unbuildable,
    ops.Parameter: unbuildable,
    ops.DeformConv2d: unbuildable,
    ops.Function: unbuildable,
    ops.Opaque: unbuildable,
}
"""Every operator beyond the zoo's; ``modules.MAKERS`` has all of them."""

UNBUILDABLE: tuple[type[Op], ...] = tuple(
    op for op, maker in MAKERS.items() if maker is unbuildable
)
"""Operators that importers carry and that cannot be built from the graph."""
