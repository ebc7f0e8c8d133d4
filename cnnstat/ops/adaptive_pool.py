"""Pooling whose windows are laid out so that a wanted size comes out, of one to three axes.

Output i of an axis of x elements reads floor(i*x/x') to ceil((i+1)*x/x'); where x' does not divide
x, windows overlap and are not all of one length.
"""

from dataclasses import dataclass
from functools import partial
from math import prod
from typing import ClassVar

from cnnstat.ir.op import NoWeights, Op, OpError, Specs
from cnnstat.ir.reach import AxisReach, ByAxis, Reach, Slide, Sliding, listed
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import Axes, Window, adaptive_span, adaptive_taps
from cnnstat.ir.work import Work
from cnnstat.ops.conv import image


class _AdaptivePool(NoWeights, Op):
    __slots__ = ()
    rank: ClassVar[int]

    output_size: Axes

    def __post_init__(self) -> None:
        if len(self.output_size) != self.rank:
            raise OpError(f"output_size (={self.output_size}) needs {self.rank} axes")
        if min(self.output_size) < 1:
            raise OpError(f"output_size (={self.output_size}) must be at least 1")

    @property
    def detail(self) -> str:
        """Return the extents that come out."""
        return "to " + "x".join(map(str, self.output_size))

    def infer(self, inputs: Specs) -> Specs:
        """Return (n, c, *output_size)."""
        n, c, _ = image(inputs, self.rank)
        return (TensorSpec((n, c, *self.output_size), inputs[0].dtype),)

    def _taps(self, inputs: Specs) -> int:
        n, c, extents = image(inputs, self.rank)
        axes = zip(extents, self.output_size, strict=True)
        return n * c * prod(adaptive_taps(extent, out) for extent, out in axes)

    def reach(self, inputs: Specs) -> Reach:
        """Return the windows where every division is even, else an answer for each axis."""
        pairs = list(zip(inputs[0].shape[2:], self.output_size, strict=True))
        if all(out > 1 and extent % out == 0 for extent, out in pairs):
            return Sliding(tuple(Window(n // out, n // out) for n, out in pairs))
        axes = [_axis_reach(axis, n, out) for axis, (n, out) in enumerate(pairs, 2)]
        return ByAxis(((Slide(0), Slide(1), *axes),))


def _axis_reach(axis: int, n: int, out: int) -> AxisReach:
    if out == 1:
        return "whole"
    if n % out == 0:
        return Slide(axis, Window(n // out, n // out))
    return listed(axis, out, partial(_span, n, out))


def _span(n: int, out: int, index: int) -> tuple[int, int]:
    """Return the first and the last element that an output reads."""
    start, end = adaptive_span(n, out, index)
    return start, end - 1


class _AdaptiveAvgPool(_AdaptivePool):
    __slots__ = ()

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the additions and the divisions."""
        numel = outputs[0].numel
        return Work(additions=self._taps(inputs) - numel, divisions=numel)


@dataclass(frozen=True, slots=True)
class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Mean over windows along one axis, laid out so that ``output_size`` comes out.

    Shape: (n, c, l) -> (n, c, *output_size); output i reads floor(i*l/l') to ceil((i+1)*l/l').
    Weights: none.
    Work: additions = taps - output elements; divisions = output elements.
    Source: torch.nn.AdaptiveAvgPool1d.
    """

    rank: ClassVar[int] = 1
    output_size: Axes


@dataclass(frozen=True, slots=True)
class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Mean over windows that are laid out so that ``output_size`` comes out.

    Shape: (n, c, h, w) -> (n, c, *output_size); output i reads floor(i*h/h') to ceil((i+1)*h/h').
    Weights: none.
    Work: additions = taps - output elements; divisions = output elements.
    Source: torch.nn.AdaptiveAvgPool2d.
    """

    rank: ClassVar[int] = 2
    output_size: Axes


@dataclass(frozen=True, slots=True)
class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Mean over windows of three axes, laid out so that ``output_size`` comes out.

    Shape: (n, c, d, h, w) -> (n, c, *output_size); output i of each axis reads floor(i*x/x') to
        ceil((i+1)*x/x').
    Weights: none.
    Work: additions = taps - output elements; divisions = output elements.
    Source: torch.nn.AdaptiveAvgPool3d.
    """

    rank: ClassVar[int] = 3
    output_size: Axes


class _AdaptiveMaxPool(_AdaptivePool):
    __slots__ = ()
    return_indices: bool

    def infer(self, inputs: Specs) -> Specs:
        """Return the maxima, and their indices if wanted."""
        (made,) = super().infer(inputs)
        return (made, TensorSpec(made.shape, "int64")) if self.return_indices else (made,)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the comparisons."""
        return Work(comparisons=self._taps(inputs) - outputs[0].numel)


@dataclass(frozen=True, slots=True)
class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """Largest element of windows along one axis, laid out so that ``output_size`` comes out.

    Shape: (n, c, l) -> (n, c, *output_size); output i reads floor(i*l/l') to ceil((i+1)*l/l').
    Weights: none.
    Work: comparisons = taps - output elements.
    Source: torch.nn.AdaptiveMaxPool1d.
    """

    rank: ClassVar[int] = 1
    output_size: Axes
    return_indices: bool = False


@dataclass(frozen=True, slots=True)
class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """Largest element of windows that are laid out so that ``output_size`` comes out.

    Shape: (n, c, h, w) -> (n, c, *output_size); output i reads floor(i*h/h') to ceil((i+1)*h/h').
    Weights: none.
    Work: comparisons = taps - output elements.
    Source: torch.nn.AdaptiveMaxPool2d.
    """

    rank: ClassVar[int] = 2
    output_size: Axes
    return_indices: bool = False


@dataclass(frozen=True, slots=True)
class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """Largest element of windows of three axes, laid out so that ``output_size`` comes out.

    Shape: (n, c, d, h, w) -> (n, c, *output_size); output i of each axis reads floor(i*x/x') to
        ceil((i+1)*x/x').
    Weights: none.
    Work: comparisons = taps - output elements.
    Source: torch.nn.AdaptiveMaxPool3d.
    """

    rank: ClassVar[int] = 3
    output_size: Axes
    return_indices: bool = False


ADAPTIVE_MEANS: tuple[type[Op], ...] = (AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d)
ADAPTIVE_MAXIMA: tuple[type[Op], ...] = (AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d)
