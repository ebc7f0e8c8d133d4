"""Where paths meet, and how a tensor is rearranged on the way."""

from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import ClassVar

from cnnstat.ir.op import Elementwise, NoDetail, NoWeights, NoWork, Op, OpError, Specs, Storage
from cnnstat.ir.reach import ByAxis, Placed, Reach, Sliding, own, regrouped
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import Window
from cnnstat.ir.work import Work
from cnnstat.ops.conv import image


def _common(inputs: Specs) -> Specs:
    if len(inputs) < 2:
        raise OpError(f"it needs at least 2 inputs, got {len(inputs)}")
    if any(spec.shape != inputs[0].shape for spec in inputs):
        raise OpError("all inputs must have one shape")
    return inputs[:1]


@dataclass(frozen=True, slots=True)
class Add(NoWeights, Elementwise, NoDetail, Op):
    """Elementwise sum of two or more tensors of one shape.

    Shape: k times (n, c, h, w) -> (n, c, h, w).
    Weights: none.
    Work: additions = elements * (k - 1).
    Source: He et al. 2015 (the shortcut's addition).
    """

    reads: ClassVar[tuple[int, int | None]] = (1, None)
    counts_complex: ClassVar[bool] = True

    def infer(self, inputs: Specs) -> Specs:
        """Return the common spec."""
        return _common(inputs)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the additions, two for each of complex numbers."""
        parts = 2 if outputs[0].is_complex else 1
        return Work(additions=parts * outputs[0].numel * (len(inputs) - 1))


@dataclass(frozen=True, slots=True)
class FractalJoin(NoWeights, Elementwise, Op):
    """Elementwise mean of the columns that meet; in training each is dropped with ``drop_path``.

    At least one column always survives, and the mean is taken over the survivors. Nothing is
    dropped in inference form.

    Shape: k times (n, c, h, w) -> (n, c, h, w).
    Weights: none.
    Work: additions = elements * (k - 1); divisions = elements.
    Source: Larsson et al. 2016 (FractalNet), sections 2 and 3.
    """

    reads: ClassVar[tuple[int, int | None]] = (1, None)

    drop_path: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.drop_path < 1:
            raise OpError(f"drop_path (={self.drop_path}) must lie in 0 to 1, 1 excluded")

    @property
    def detail(self) -> str:
        """Return the probability that a column is dropped, where there is one."""
        return f"drop-path {self.drop_path:g}" if self.drop_path else ""

    def infer(self, inputs: Specs) -> Specs:
        """Return the common spec."""
        return _common(inputs)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the additions and the division of each mean."""
        numel = outputs[0].numel
        return Work(additions=numel * (len(inputs) - 1), divisions=numel)


@dataclass(frozen=True, slots=True)
class Concat(NoWeights, NoWork, Op):
    """Tensors joined along one axis, the channels unless said otherwise.

    Shape: (n, c1, h, w), (n, c2, h, w), ... -> (n, c1 + c2 + ..., h, w).
    Weights: none.
    Work: none, elements only move.
    Source: Szegedy et al. 2014 (filter concatenation).
    """

    reads: ClassVar[tuple[int, int | None]] = (1, None)

    axis: int = 1

    @property
    def detail(self) -> str:
        """Return the axis where it is not the channels."""
        return "" if self.axis == 1 else f"axis {self.axis}"

    def infer(self, inputs: Specs) -> Specs:
        """Return the sum of the extents along the axis."""
        if not inputs:
            raise OpError("it needs an input")
        first = inputs[0].shape
        if not -len(first) <= self.axis < len(first):
            raise OpError(f"axis (={self.axis}) must be one of {len(first)}")
        axis = self.axis % len(first)
        before, behind = first[:axis], first[axis + 1 :]
        if any((s.shape[:axis], s.shape[axis + 1 :]) != (before, behind) for s in inputs):
            raise OpError(f"all extents but those of axis {axis} must agree")
        total = sum(spec.shape[axis] for spec in inputs)
        return (TensorSpec((*before, total, *behind), inputs[0].dtype),)

    def reach(self, inputs: Specs) -> Reach:
        """Return the place of each input along the axis."""
        rank = inputs[0].rank
        axis = self.axis % rank
        starts = accumulate([spec.shape[axis] for spec in inputs[:-1]], initial=0)
        return ByAxis(tuple([own(rank, {axis: Placed(axis, start)}) for start in starts]))


@dataclass(frozen=True, slots=True)
class Flatten(NoWeights, NoWork, NoDetail, Op):
    """All axes but the batch as one: a view of the same memory.

    Shape: (n, c, h, w) -> (n, c*h*w).
    Weights: none.
    Work: none.
    Source: torch.nn.Flatten.
    """

    storage: ClassVar[Storage] = "view"

    def infer(self, inputs: Specs) -> Specs:
        """Return (n, product of the other extents)."""
        if not inputs or not inputs[0].shape:
            raise OpError("it needs an input with a batch axis")
        n, *rest = inputs[0].shape
        return (TensorSpec((n, prod(rest)), inputs[0].dtype),)

    def reach(self, inputs: Specs) -> Reach:
        """Return one element of the axes that become one."""
        shape = inputs[0].shape
        return ByAxis((regrouped(shape, (shape[0], prod(shape[1:]))),))


@dataclass(frozen=True, slots=True)
class ZeroPadShortcut(NoWeights, NoWork, Op):
    """ResNet's option A: every ``stride``-th element, and zeros for the channels that are missing.

    Shape: (n, c, h, w) -> (n, out_channels, floor((h-1)/stride) + 1, floor((w-1)/stride) + 1).
    Weights: none.
    Work: none, elements only move.
    Source: He et al. 2015, section 3.3, option A.
    """

    out_channels: int
    stride: int = 1

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise OpError(f"stride (={self.stride}) must be at least 1")

    @property
    def detail(self) -> str:
        """Return the stride."""
        return f"/{self.stride}"

    def infer(self, inputs: Specs) -> Specs:
        """Return the thinned extents with the wanted channels."""
        n, c, extents = image(inputs, 2)
        if self.out_channels < c:
            raise OpError(
                f"out_channels (={self.out_channels}) must be at least in_channels (={c})"
            )
        out = [Window(1, self.stride).out(extent) for extent in extents]
        return (TensorSpec((n, self.out_channels, *out), inputs[0].dtype),)

    def reach(self, inputs: Specs) -> Reach:
        """Return single elements, ``stride`` apart."""
        return Sliding((Window(1, self.stride), Window(1, self.stride)))
