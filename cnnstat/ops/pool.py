"""Pooling over windows of one, two and three axes, over whole maps, and LeNet-5's subsampling.

Parts that ranks share are on bases that are not dataclasses: making one takes time
at every start.
"""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from cnnstat.ir.op import NoDetail, NoWeights, Op, OpError, Specs, Weight
from cnnstat.ir.reach import ByAxis, Reach, Sliding, without
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import Axes, Padding, Window, sides_of, windows
from cnnstat.ir.work import Work
from cnnstat.ops.conv import check_window, image, window_detail


class _Pool(NoWeights, Op):
    __slots__ = ()
    rank: ClassVar[int]

    kernel: Axes
    stride: Axes
    padding: Padding
    ceil_mode: bool

    def __post_init__(self) -> None:
        check_window(self.kernel, self.stride, self.padding, self._spacing, rank=self.rank)
        if self.padding != "same":
            for k, d, p in zip(self.kernel, self._spacing, self.padding, strict=True):
                if max(sides_of(p)) > d * (k - 1):
                    raise OpError(
                        f"padding (={p}) must be less than the window (={d * (k - 1) + 1})"
                    )

    @property
    def _spacing(self) -> Axes:
        """Elements from one tap of the window to the next."""
        return (1,) * self.rank

    @property
    def detail(self) -> str:
        """Return the window, and ``ceil`` where the division rounds up."""
        window = window_detail(self.kernel, self.stride, self.padding, self._spacing)
        return f"{window} ceil" if self.ceil_mode else window

    def windows(self, extents: Axes) -> tuple[Window, ...]:
        """Return the window of each axis on an input of these extents."""
        return windows(
            extents, self.kernel, self.stride, self.padding, self._spacing, self.ceil_mode
        )

    def infer(self, inputs: Specs) -> Specs:
        """Return (n, c, positions of the window on each axis)."""
        n, c, extents = image(inputs, self.rank)
        out = [w.out(e) for w, e in zip(self.windows(extents), extents, strict=True)]
        return (TensorSpec((n, c, *out), inputs[0].dtype),)

    def reach(self, inputs: Specs) -> Reach:
        """Return the window."""
        return Sliding(self.windows(inputs[0].shape[2:]))


class _MaxPool(_Pool):
    __slots__ = ()
    return_indices: bool
    dilation: Axes

    @property
    def _spacing(self) -> Axes:
        return self.dilation

    def infer(self, inputs: Specs) -> Specs:
        """Return the maxima, and their indices if wanted."""
        (out,) = super().infer(inputs)
        return (out, TensorSpec(out.shape, "int64")) if self.return_indices else (out,)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the comparisons."""
        return Work(comparisons=outputs[0].numel * (prod(self.kernel) - 1))


@dataclass(frozen=True, slots=True)
class MaxPool1d(_MaxPool):
    """Largest element of each window along one axis; ``return_indices`` adds where they stood.

    Shape: (n, c, l) -> (n, c, l'), l' = floor((l + 2p - d(k-1) - 1)/s) + 1, ceil with
        ``ceil_mode``; the indices have the same shape in int64.
    Weights: none.
    Work: comparisons = output elements * (k - 1).
    Source: torch.nn.MaxPool1d.
    """

    rank: ClassVar[int] = 1
    kernel: Axes
    stride: Axes
    padding: Padding = (0,)
    ceil_mode: bool = False
    return_indices: bool = False
    dilation: Axes = (1,)


@dataclass(frozen=True, slots=True)
class MaxPool2d(_MaxPool):
    """Largest element of each window; ``return_indices`` adds the switches that unpooling needs.

    Shape: (n, c, h, w) -> (n, c, h', w'), h' = floor((h + 2p - d(kh-1) - 1)/s) + 1, ceil with
        ``ceil_mode``; the indices have the same shape in int64.
    Weights: none.
    Work: comparisons = output elements * (kh * kw - 1).
    Source: torch.nn.MaxPool2d; switches: Zeiler and Fergus 2013.
    """

    rank: ClassVar[int] = 2
    kernel: Axes
    stride: Axes
    padding: Padding = (0, 0)
    ceil_mode: bool = False
    return_indices: bool = False
    dilation: Axes = (1, 1)


@dataclass(frozen=True, slots=True)
class MaxPool3d(_MaxPool):
    """Largest element of each window over depth, height and width.

    Shape: (n, c, d, h, w) -> (n, c, d', h', w'), each axis floor((x + 2p - dil(k-1) - 1)/s) + 1,
        ceil with ``ceil_mode``; the indices have the same shape in int64.
    Weights: none.
    Work: comparisons = output elements * (kd * kh * kw - 1).
    Source: torch.nn.MaxPool3d.
    """

    rank: ClassVar[int] = 3
    kernel: Axes
    stride: Axes
    padding: Padding = (0, 0, 0)
    ceil_mode: bool = False
    return_indices: bool = False
    dilation: Axes = (1, 1, 1)


class _AvgPool(_Pool):
    __slots__ = ()

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the additions and the divisions."""
        numel = outputs[0].numel
        return Work(additions=numel * (prod(self.kernel) - 1), divisions=numel)


@dataclass(frozen=True, slots=True)
class AvgPool1d(_AvgPool):
    """Mean of each window along one axis.

    ``count_include_pad`` divides by the whole window also where it covers padding.

    Shape: (n, c, l) -> (n, c, l'), l' = floor((l + 2p - k)/s) + 1, ceil with ``ceil_mode``.
    Weights: none.
    Work: additions = output elements * (k - 1); divisions = output elements.
    Source: torch.nn.AvgPool1d.
    """

    rank: ClassVar[int] = 1
    kernel: Axes
    stride: Axes
    padding: Padding = (0,)
    ceil_mode: bool = False
    count_include_pad: bool = True


@dataclass(frozen=True, slots=True)
class AvgPool2d(_AvgPool):
    """Mean of each window.

    ``count_include_pad`` divides by the whole window also where it covers padding.

    Shape: (n, c, h, w) -> (n, c, h', w'), h' = floor((h + 2p - kh)/s) + 1, ceil with ``ceil_mode``.
    Weights: none.
    Work: additions = output elements * (kh * kw - 1); divisions = output elements.
    Source: torch.nn.AvgPool2d.
    """

    rank: ClassVar[int] = 2
    kernel: Axes
    stride: Axes
    padding: Padding = (0, 0)
    ceil_mode: bool = False
    count_include_pad: bool = True


@dataclass(frozen=True, slots=True)
class AvgPool3d(_AvgPool):
    """Mean of each window over depth, height and width.

    ``count_include_pad`` divides by the whole window also where it covers padding.

    Shape: (n, c, d, h, w) -> (n, c, d', h', w'), each axis floor((x + 2p - k)/s) + 1, ceil with
        ``ceil_mode``.
    Weights: none.
    Work: additions = output elements * (kd * kh * kw - 1); divisions = output elements.
    Source: torch.nn.AvgPool3d.
    """

    rank: ClassVar[int] = 3
    kernel: Axes
    stride: Axes
    padding: Padding = (0, 0, 0)
    ceil_mode: bool = False
    count_include_pad: bool = True


@dataclass(frozen=True, slots=True)
class GlobalAvgPool2d(NoWeights, NoDetail, Op):
    """Mean of each whole map.

    Shape: (n, c, h, w) -> (n, c, 1, 1).
    Weights: none.
    Work: additions = n * c * (h * w - 1); divisions = n * c.
    Source: Lin et al. 2013; torch.nn.AdaptiveAvgPool2d(1).
    """

    def infer(self, inputs: Specs) -> Specs:
        """Return (n, c, 1, 1)."""
        n, c, _ = image(inputs, 2)
        return (TensorSpec((n, c, 1, 1), inputs[0].dtype),)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the additions and the divisions."""
        numel = outputs[0].numel
        return Work(additions=inputs[0].numel - numel, divisions=numel)

    def reach(self, inputs: Specs) -> Reach:
        """Return the whole map."""
        return ByAxis((without(4, (2, 3), keepdim=True),))


@dataclass(frozen=True, slots=True)
class Subsampling(Op):
    """LeNet-5's S layers: each window's sum times one trained coefficient, plus one bias, per map.

    Shape: (n, c, h, w) -> (n, c, h', w'), h' = floor((h - kh)/kh) + 1: windows do not overlap.
    Weights: c coefficients and c biases (S2: 12, S4: 32).
    Work: additions = output elements * (kh * kw - 1); one multiplication and one bias addition
        each.
    Source: LeCun et al. 1998, section II.B.
    """

    is_layer: ClassVar[bool] = True
    kernel: Axes

    @property
    def detail(self) -> str:
        """Return the window."""
        return window_detail(self.kernel, self.kernel, (0, 0), (1, 1))

    def _windows(self) -> tuple[Window, ...]:
        return tuple(Window(k, k) for k in self.kernel)

    def infer(self, inputs: Specs) -> Specs:
        """Return (n, c, windows on each axis)."""
        n, c, extents = image(inputs, 2)
        out = [w.out(e) for w, e in zip(self._windows(), extents, strict=True)]
        return (TensorSpec((n, c, *out), inputs[0].dtype),)

    def weights(self, inputs: Specs) -> tuple[Weight, ...]:
        """Return one coefficient and one bias per map."""
        c = inputs[0].shape[1]
        return Weight("weight", (c,)), Weight("bias", (c,), "bias")

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the sums, the scaling and the bias."""
        numel = outputs[0].numel
        return Work(
            additions=numel * (prod(self.kernel) - 1), multiplications=numel, bias_adds=numel
        )

    def reach(self, inputs: Specs) -> Reach:
        """Return the window."""
        return Sliding(self._windows())


MEANS: tuple[type[Op], ...] = (AvgPool1d, AvgPool2d, AvgPool3d)
MAXIMA: tuple[type[Op], ...] = (MaxPool1d, MaxPool2d, MaxPool3d)
