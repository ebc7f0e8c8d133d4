"""Normalisations with statistics of their own input: over features, channel groups, single maps.

Work of each, per element: two additions and a multiplication more for mean and variance (an
addition for the mean; a subtraction, a square and an addition for the variance), then one
normalised element.
"""

from dataclasses import dataclass
from typing import ClassVar

from cnnstat.ir.op import NoDetail, NoWeights, Op, OpError, Specs, Storage, Weight
from cnnstat.ir.reach import AxisReach, ByAxis, Reach, Slide, aligned, listed, normalised, without
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.work import Work

SMALLEST_STEP = {
    "float64": 2.0**-52,
    "float32": 2.0**-23,
    "float16": 2.0**-10,
    "bfloat16": 2.0**-7,
}
"""From 1 to the next number of each dtype: what an RMS normalisation adds unless it is said."""


def _affine(shape: tuple[int, ...], *, weight: bool, bias: bool) -> tuple[Weight, ...]:
    scale = (Weight("weight", shape),) if weight else ()
    return (*scale, Weight("bias", shape, "bias")) if bias else scale


def _with_statistics(numel: int) -> Work:
    return Work(normalized=numel, additions=3 * numel, multiplications=numel)


class _OverLastAxes(Op):
    __slots__ = ()
    storage: ClassVar[Storage] = "in_place"
    axes: int

    @property
    def detail(self) -> str:
        """Return the number of axes where it is not 1."""
        return "" if self.axes == 1 else f"over {self.axes} axes"

    def infer(self, inputs: Specs) -> Specs:
        """Return the input's spec."""
        if not inputs or not 1 <= self.axes <= inputs[0].rank:
            raise OpError(f"axes (={self.axes}) must be 1 to the input's rank")
        return inputs[:1]

    def reach(self, inputs: Specs) -> Reach:
        """Return all elements of the normalised axes."""
        return normalised(inputs[0].shape, range(-self.axes, 0))


@dataclass(frozen=True, slots=True)
class LayerNorm(_OverLastAxes):
    """Normalisation over the last ``axes`` axes.

    Shape: any -> the same.
    Weights: a scale and a shift of the normalised extents, where affine.
    Work: normalized = elements; additions = 3 * elements; multiplications = elements.
    Source: Ba et al. 2016; torch.nn.LayerNorm.
    """

    axes: int = 1
    affine: bool = True
    bias: bool = True
    eps: float = 1e-5

    def weights(self, inputs: Specs) -> tuple[Weight, ...]:
        """Return scale and shift."""
        shape = inputs[0].shape[-self.axes :]
        return _affine(shape, weight=self.affine, bias=self.affine and self.bias)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the statistics and the normalised elements."""
        return _with_statistics(inputs[0].numel)


@dataclass(frozen=True, slots=True)
class RMSNorm(_OverLastAxes):
    """x / sqrt(mean of x^2 + eps) * scale over the last ``axes`` axes.

    Shape: any -> the same.
    Weights: a scale of the normalised extents, where affine.
    Work: per element 2 multiplications (the square and the scale), an addition, a division.
    Source: Zhang and Sennrich 2019; torch.nn.RMSNorm.
    """

    axes: int = 1
    affine: bool = True
    eps: float | None = None
    """None: the ``SMALLEST_STEP`` of the dtype."""

    def weights(self, inputs: Specs) -> tuple[Weight, ...]:
        """Return the scale."""
        return _affine(inputs[0].shape[-self.axes :], weight=self.affine, bias=False)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the squares, the sum, the division and the scale."""
        numel = inputs[0].numel
        return Work(multiplications=2 * numel, additions=numel, divisions=numel)


class _ByChannel(Op):
    __slots__ = ()
    storage: ClassVar[Storage] = "in_place"
    affine: bool

    def weights(self, inputs: Specs) -> tuple[Weight, ...]:
        """Return scale and shift."""
        return _affine(inputs[0].shape[1:2], weight=self.affine, bias=self.affine)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the statistics and the normalised elements."""
        return _with_statistics(inputs[0].numel)


@dataclass(frozen=True, slots=True)
class GroupNorm(_ByChannel):
    """Normalisation over groups of channels and all positions.

    Shape: (n, c, ...) -> the same.
    Weights: c scales and c shifts, where affine.
    Work: normalized = elements; additions = 3 * elements; multiplications = elements.
    Source: Wu and He 2018; torch.nn.GroupNorm.
    """

    groups: int
    affine: bool = True
    eps: float = 1e-5

    def __post_init__(self) -> None:
        if self.groups < 1:
            raise OpError(f"groups (={self.groups}) must be at least 1")

    @property
    def detail(self) -> str:
        """Return the number of groups."""
        return f"groups {self.groups}"

    def infer(self, inputs: Specs) -> Specs:
        """Return the input's spec."""
        if not inputs or inputs[0].rank < 2:
            raise OpError("it needs at least 2 axes (batch, channels)")
        if inputs[0].shape[1] % self.groups:
            raise OpError(
                f"channels (={inputs[0].shape[1]}) must be divisible by groups (={self.groups})"
            )
        return inputs[:1]

    def reach(self, inputs: Specs) -> Reach:
        """Return the channels of a group and all positions."""
        per = inputs[0].shape[1] // self.groups
        channels = listed(1, inputs[0].shape[1], lambda c: (c - c % per, c - c % per + per - 1))
        positions: list[AxisReach] = ["whole"] * (inputs[0].rank - 2)
        return ByAxis(((Slide(0), channels, *positions),))


@dataclass(frozen=True, slots=True)
class InstanceNorm(NoDetail, _ByChannel):
    """Normalisation of each map by its own statistics.

    Shape: (n, c, ...) -> the same.
    Weights: c scales and c shifts, where affine.
    Work: normalized = elements; additions = 3 * elements; multiplications = elements.
    Source: Ulyanov et al. 2016; torch.nn.InstanceNorm2d.
    """

    affine: bool = False
    eps: float = 1e-5

    def infer(self, inputs: Specs) -> Specs:
        """Return the input's spec."""
        if not inputs or inputs[0].rank < 3:
            raise OpError("it needs at least 3 axes (batch, channels, positions)")
        return inputs[:1]

    def reach(self, inputs: Specs) -> Reach:
        """Return all positions of the map."""
        return normalised(inputs[0].shape, range(2, inputs[0].rank))


@dataclass(frozen=True, slots=True)
class WeightNorm(NoWeights, Op):
    """Kernels computed from directions and lengths: length * direction / norm, along one axis.

    Shape: directions (any), lengths (1 on every axis but ``axis``) -> as the directions, and the
        norms.
    Weights: none; both inputs are stored tensors.
    Work: per element two multiplications (the square and the scaling) and an addition, less the
        first; a root and a division per length.
    Source: Salimans and Kingma 2016; torch.nn.utils.parametrizations.weight_norm.
    """

    reads: ClassVar[tuple[int, int | None]] = (2, 2)
    axis: int = 0

    @property
    def detail(self) -> str:
        """Return the axis where it is not the first."""
        return f"axis {self.axis}" if self.axis else ""

    def infer(self, inputs: Specs) -> Specs:
        """Return the kernels and the norms."""
        if len(inputs) != 2 or inputs[0].rank != inputs[1].rank:
            raise OpError("it needs directions and lengths of as many axes")
        if not 0 <= self.axis < inputs[0].rank:
            raise OpError(f"axis (={self.axis}) must be one of {inputs[0].rank}")
        lengths = [1] * inputs[0].rank
        lengths[self.axis] = inputs[0].shape[self.axis]
        if inputs[1].shape != tuple(lengths):
            raise OpError(f"lengths of shape {inputs[1]} must be {TensorSpec(tuple(lengths))}")
        return inputs

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the norms and the scaling."""
        numel, lengths = inputs[0].numel, inputs[1].numel
        sums = Work(multiplications=2 * numel, additions=numel - lengths)
        return sums.plus(Work(divisions=lengths, exponentials=lengths))

    def reach(self, inputs: Specs) -> Reach:
        """Return all elements of a kernel, which has one norm."""
        rank = inputs[0].rank
        others = [axis for axis in range(rank) if axis != self.axis]
        return ByAxis(
            (without(rank, others, keepdim=True), aligned(*[s.shape for s in inputs[::-1]]))
        )
