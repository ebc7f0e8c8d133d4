"""The layers that ``torch.nn`` does not have, or has with other padding rules.

Each stores exactly the tensors that its operator lists under Weights; index tables and the like are
not in the ``state_dict``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (PyTorch's own name for it)

from cnnstat import ops

Pads = tuple[int, ...]
"""Elements before and after each axis as ``torch.nn.functional.pad`` takes them: the last axis
first."""

TransposedOp = ops.ConvTranspose1d | ops.ConvTranspose2d | ops.ConvTranspose3d
MaxPoolOp = ops.MaxPool1d | ops.MaxPool2d | ops.MaxPool3d
AvgPoolOp = ops.AvgPool1d | ops.AvgPool2d | ops.AvgPool3d


def of_rank(source: Any, kind: str, rank: int) -> Any:
    """Return what a module of PyTorch (or this one) has of a kind for so many axes: ``Conv2d``."""
    return getattr(source, f"{kind}{rank}d")


class _PaddedConv(nn.Module):
    """Convolution after an explicit padding that may differ between the two sides."""

    pads: Pads = ()

    def forward(self, input: Tensor) -> Tensor:
        """Pad with zeros, then convolve: (n, c, *x) -> (n, c', *x')."""
        convolved: Tensor = super().forward(F.pad(input, self.pads))
        return convolved


class PaddedConv1d(_PaddedConv, nn.Conv1d):
    """(n, c, l) -> (n, c', l')."""


class PaddedConv2d(_PaddedConv, nn.Conv2d):
    """(n, c, h, w) -> (n, c', h', w')."""


class PaddedConv3d(_PaddedConv, nn.Conv3d):
    """(n, c, d, h, w) -> (n, c', d', h', w')."""


class ConnectedConv2d(nn.Module):
    """Convolution by a connection table: one grouped convolution per number of maps read."""

    def __init__(self, op: ops.ConnectedConv2d) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(op.count, *op.kernel))
        self.bias = nn.Parameter(torch.empty(len(op.connections)))
        self.connections = op.connections
        self.fan_ins = tuple(sorted({len(row) for row in op.connections}))
        kinds = ("maps", "kernels", "rows")
        for name in [f"{kind}_{fan_in}" for fan_in in self.fan_ins for kind in kinds] + ["order"]:
            self.register_buffer(name, torch.empty(0, dtype=torch.int64), persistent=False)
        self.fill_tables(torch.device("cpu"))

    def fill_tables(self, device: torch.device) -> None:
        """Write the index tables: for each fan-in the maps read, kernels used, output maps made."""
        starts, start = [], 0
        for row in self.connections:
            starts.append(start)
            start += len(row)
        made: list[int] = []
        for fan_in in self.fan_ins:
            rows = [i for i, row in enumerate(self.connections) if len(row) == fan_in]
            tables = {
                "maps": [index for i in rows for index in self.connections[i]],
                "kernels": [starts[i] + tap for i in rows for tap in range(fan_in)],
                "rows": rows,
            }
            for kind, table in tables.items():
                setattr(self, f"{kind}_{fan_in}", torch.tensor(table, device=device))
            made += rows
        back = sorted(range(len(made)), key=made.__getitem__)
        self.order = torch.tensor(back, device=device)

    def forward(self, input: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, rows of the table, h - kh + 1, w - kw + 1)."""
        parts = []
        for fan_in in self.fan_ins:
            rows: Tensor = getattr(self, f"rows_{fan_in}")
            kernels = self.weight.index_select(0, getattr(self, f"kernels_{fan_in}"))
            parts.append(
                F.conv2d(
                    input.index_select(1, getattr(self, f"maps_{fan_in}")),
                    kernels.view(len(rows), fan_in, *self.weight.shape[1:]),
                    self.bias.index_select(0, rows),
                    groups=len(rows),
                )
            )
        return torch.cat(parts, 1).index_select(1, self.order)


class Subsampling(nn.Module):
    """Sum of each window times a trained coefficient plus a bias, per map."""

    def __init__(self, channels: int, kernel: Any) -> None:
        super().__init__()
        self.kernel = kernel
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))

    def forward(self, input: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, h // kh, w // kw)."""
        sums = F.avg_pool2d(input, self.kernel, divisor_override=1)
        return sums * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)


class RBF(nn.Module):
    """Squared distances to fixed codes of -1 and 1."""

    codes: Tensor

    def __init__(self, units: int, features: int) -> None:
        super().__init__()
        self.register_buffer("codes", torch.empty(units, features))

    def forward(self, input: Tensor) -> Tensor:
        """(n, features) -> (n, units)."""
        return (input.unsqueeze(1) - self.codes).square().sum(2)


class PaddedMaxPool(nn.Module):
    """Max-pooling with a padding of its own on each side; indices refer to the unpadded map."""

    def __init__(self, op: MaxPoolOp, pads: Pads) -> None:
        super().__init__()
        self.pool = of_rank(F, "max_pool", op.rank)
        self.window = {"kernel_size": op.kernel, "stride": op.stride, "dilation": op.dilation}
        self.pads, self.indices = pads, op.return_indices

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """(n, c, x ...) -> (n, c, x' ...), with the indices if asked."""
        padded = F.pad(input, self.pads, value=float("-inf"))
        if not self.indices:
            largest: Tensor = self.pool(padded, **self.window)
            return largest
        maxima, where = self.pool(padded, **self.window, return_indices=True)
        return maxima, self._unpadded(where, padded, input)

    def _unpadded(self, where: Tensor, padded: Tensor, input: Tensor) -> Tensor:
        """Return places in the padded map as places in the map itself, the last axis first."""
        places, step = torch.zeros_like(where), 1
        for number, before in enumerate(self.pads[::2]):
            extent = padded.shape[-1 - number]
            places = places + (where.remainder(extent) - before) * step
            where = where.div(extent, rounding_mode="floor")
            step = step * input.shape[-1 - number]
        return places


class PaddedAvgPool(nn.Module):
    """Mean-pooling after a padding that may differ between the two sides.

    ``pads`` is what the windows cover; ``declared`` the operator's padding, beyond which a window
    that hangs over the edge (``ceil_mode``) never counts.
    """

    def __init__(self, op: AvgPoolOp, pads: Pads, declared: Pads) -> None:
        super().__init__()
        self.pool = of_rank(F, "avg_pool", op.rank)
        self.kernel, self.stride, self.pads = op.kernel, op.stride, pads
        self.counted = declared if op.count_include_pad else (0,) * len(pads)

    def forward(self, input: Tensor) -> Tensor:
        """(n, c, x ...) -> (n, c, x' ...)."""
        means: Tensor = self.pool(F.pad(input, self.pads), self.kernel, self.stride)
        rest = [pad - counted for pad, counted in zip(self.pads, self.counted, strict=True)]
        return means / self._share(input, rest) if any(side > 0 for side in rest) else means

    def _share(self, input: Tensor, rest: list[int]) -> Tensor:
        """Return the share of each window that counts: the mean of ones, padded with zeros."""
        ones = torch.ones_like(input[:1, :1])
        if any(self.counted):
            ones = F.pad(ones, self.counted, value=1.0)
        share: Tensor = self.pool(F.pad(ones, rest), self.kernel, self.stride)
        return share


class MaxUnpool2d(nn.Module):
    """Unpooling by switches; a third tensor gives height and width."""

    def __init__(self, kernel: Any, stride: Any, padding: Any) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, padding

    def forward(self, input: Tensor, indices: Tensor, like: Tensor | None = None) -> Tensor:
        """(n, c, h, w), indices (n, c, h, w) -> (n, c, h', w')."""
        axes = zip(input.shape[2:], self.kernel, self.stride, self.padding, strict=True)
        # whole numbers: PyTorch does not take those that the tracer of fvcore has in their place
        usual = [(int(n) - 1) * s - 2 * p + k for n, k, s, p in axes]
        size = usual if like is None else list(map(int, like.shape[2:]))
        return F.max_unpool2d(input, indices, self.kernel, self.stride, self.padding, size)


class ShapedConvTranspose(nn.Module):
    """Transposed convolution that cuts the two sides of its result differently.

    Or one whose result takes the extents of a second tensor. ``cuts`` is the padding before and
    after each axis; the layer's own ``padding`` is the smaller of the two.
    """

    cuts: tuple[tuple[int, int], ...] = ()

    def forward(self, input: Tensor, like: Tensor | None = None) -> Tensor:
        """(n, c, *x), (n, any, *x') -> (n, c', *x')."""
        layer: Any = self
        extra = list(layer.output_padding)
        if like is not None:
            window = layer.kernel_size, layer.stride, layer.dilation
            axes = zip(input.shape[2:], *window, self.cuts, strict=True)
            usual = [(int(n) - 1) * s + d * (k - 1) + 1 - sum(cut) for n, k, s, d, cut in axes]
            extra = [int(want) - n for want, n in zip(like.shape[2:], usual, strict=True)]
        stored = (layer.weight, layer.bias, layer.stride, layer.padding)
        run = of_rank(F, "conv_transpose", input.dim() - 2)
        result: Tensor = run(input, *stored, extra, layer.groups, layer.dilation)
        for axis, ((before, after), least) in enumerate(zip(self.cuts, layer.padding, strict=True)):
            if before != after:
                length = result.shape[axis + 2] - (before - least) - (after - least)
                result = result.narrow(axis + 2, before - least, length)
        return result


class ShapedConvTranspose1d(ShapedConvTranspose, nn.ConvTranspose1d):  # type: ignore[misc]
    """(n, c, l), (n, any, l') -> (n, c', l')."""


class ShapedConvTranspose2d(ShapedConvTranspose, nn.ConvTranspose2d):  # type: ignore[misc]
    """(n, c, h, w), (n, any, h', w') -> (n, c', h', w')."""


class ShapedConvTranspose3d(ShapedConvTranspose, nn.ConvTranspose3d):  # type: ignore[misc]
    """(n, c, d, h, w), (n, any, d', h', w') -> (n, c', d', h', w')."""


class ScaledTanh(nn.Module):
    """amplitude * tanh(slope * x)."""

    def __init__(self, amplitude: float, slope: float) -> None:
        super().__init__()
        self.amplitude, self.slope = amplitude, slope

    def forward(self, input: Tensor) -> Tensor:
        """Any shape -> the same."""
        return self.amplitude * torch.tanh(self.slope * input)


class DropPath(nn.Module):
    """Stochastic depth as in Huang et al. 2016.

    In training one draw keeps or zeroes the whole path for the mini-batch; in evaluation the path
    is scaled by its probability of survival.
    """

    def __init__(self, survival: float) -> None:
        super().__init__()
        self.survival = survival

    def forward(self, input: Tensor) -> Tensor:
        """Any shape -> the same."""
        if self.survival == 1:
            return input
        if not self.training:
            return input * self.survival
        return input * input.new_empty((1,) * input.dim()).bernoulli_(self.survival)


class FractalJoin(nn.Module):
    """Mean of the columns that meet, as in Larsson et al. 2016.

    In training one draw per mini-batch keeps each column with 1 - ``drop_path`` and the mean is
    over the survivors; where none survives, one drawn at random does. In evaluation it is the mean
    of all.
    """

    def __init__(self, drop_path: float) -> None:
        super().__init__()
        self.drop_path = drop_path

    def forward(self, *columns: Tensor) -> Tensor:
        """Tensors of one shape -> that shape."""
        if not self.training or not self.drop_path:
            total = columns[0]
            for column in columns[1:]:
                total = total + column
            return total / len(columns)
        chosen = columns[0].new_empty(len(columns)).bernoulli_(1 - self.drop_path)
        spared = torch.randint(len(columns), (1,), device=chosen.device)
        one = torch.zeros_like(chosen).index_fill_(0, spared, 1)
        chosen = torch.where(chosen.any(), chosen, one)
        joined = columns[0] * chosen[0]
        for column, share in zip(columns[1:], chosen[1:], strict=True):
            joined = joined + column * share
        return joined / chosen.sum()


class ZeroPadShortcut(nn.Module):
    """Every ``stride``-th element, with zeros as the channels that are missing."""

    def __init__(self, stride: int, missing: int) -> None:
        super().__init__()
        self.stride, self.missing = stride, missing

    def forward(self, input: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c + missing, ceil(h/stride), ceil(w/stride))."""
        thinned = input[:, :, :: self.stride, :: self.stride]
        return F.pad(thinned, (0, 0, 0, 0, 0, self.missing))


COMPOSED: dict[str, Callable[[Tensor, tuple[int, ...], bool], Tensor]] = {
    "norm": lambda x, axes, keep: torch.linalg.vector_norm(x, 2, axes, keep),
    "l1": lambda x, axes, keep: torch.linalg.vector_norm(x, 1, axes, keep),
    "sum_square": lambda x, axes, keep: x.square().sum(axes, keep),
    "log_sum": lambda x, axes, keep: x.sum(axes, keep).log(),
    "max": lambda x, axes, keep: x.amax(axes, keep),
    "min": lambda x, axes, keep: x.amin(axes, keep),
    "prod": lambda x, axes, keep: x.prod(axes[0], keep),
    "cumsum": lambda x, axes, keep: x.cumsum(axes[0]),
    "cumprod": lambda x, axes, keep: x.cumprod(axes[0]),
}
"""Reductions that are not a tensor's method of their kind, over axes."""


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
        kind, axes, keep = self.op.kind, self.axes, self.op.keepdim
        if kind in COMPOSED:
            return COMPOSED[kind](input, axes, keep)
        single = axes[0] if len(axes) == 1 < input.dim() else None
        over = single if kind.startswith("arg") else axes
        return getattr(input, kind)(over, keepdim=keep)


class MatMul(nn.Module):
    """A matrix product; a module, since fvcore counts by module."""

    def forward(self, left: Tensor, right: Tensor, added: Tensor | None = None) -> Tensor:
        """[..., m, k] [..., k, n] -> [..., m, n], plus a third tensor where there is one."""
        product = torch.matmul(left, right)
        return product if added is None else product + added


MODES = {("linear", 1): "linear", ("linear", 2): "bilinear", ("linear", 3): "trilinear"}
"""PyTorch's names of a mode by the number of axes, where they differ from cnnstat's."""


class Interpolate(nn.Module):
    """Maps resampled to a fixed size."""

    def __init__(self, op: ops.Interpolate) -> None:
        super().__init__()
        self.extents = op.output_size
        self.mode = MODES.get((op.mode, len(op.output_size)), op.mode)

    def forward(self, input: Tensor) -> Tensor:
        """(n, c, ...) -> (n, c, *extents)."""
        return F.interpolate(input, self.extents, mode=self.mode)


class LSTM(nn.LSTM):
    """An LSTM whose results are one flat tuple: sequence, hidden state, cell state."""

    def forward(self, input: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        """(n, l, in) -> (n, l, out), (layers, n, hidden), (layers, n, hidden)."""
        sequence, states = super().forward(input)
        return (sequence, *states)
