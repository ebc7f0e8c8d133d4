"""Pooling: largest, mean, adaptive, global, LeNet-5's subsampling, and the way back (unpooling)."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from cnnstat.ir.op import NoWeights, NoWork, Op, OpError, Reach, Sliding, Specs, Weight
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import Axes, Padding, Window, adaptive_taps, windows
from cnnstat.ir.work import Work
from cnnstat.ops.conv import check_window, image, window_detail


@dataclass(frozen=True, slots=True)
class _Pool(NoWeights, Op):
    kernel: Axes
    stride: Axes
    padding: Padding = (0, 0)
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        check_window(self.kernel, self.stride, self.padding, (1, 1), rank=2)
        if self.padding != "same":
            for k, p in zip(self.kernel, self.padding, strict=True):
                if 2 * p > k:
                    raise OpError(f"padding (={p}) must be at most half the kernel (={k})")

    @property
    def detail(self) -> str:
        """Return the window, and ``ceil`` where the division rounds up."""
        window = window_detail(self.kernel, self.stride, self.padding, (1, 1))
        return f"{window} ceil" if self.ceil_mode else window

    def windows(self, extents: Axes) -> tuple[Window, ...]:
        """Return the window of each axis on an input of these extents."""
        return windows(extents, self.kernel, self.stride, self.padding, (1, 1), self.ceil_mode)

    def _pooled(self, inputs: Specs) -> TensorSpec:
        n, c, extents = image(inputs, 2)
        out = [w.out(e) for w, e in zip(self.windows(extents), extents, strict=True)]
        return TensorSpec((n, c, *out), inputs[0].dtype)

    def infer(self, inputs: Specs) -> Specs:
        """Return (n, c, positions of the window on each axis)."""
        return (self._pooled(inputs),)

    def reach(self, inputs: Specs) -> Reach:
        """Return the window."""
        return Sliding(self.windows(inputs[0].shape[2:]))


@dataclass(frozen=True, slots=True)
class MaxPool2d(_Pool):
    """Largest element of each window; ``return_indices`` adds the switches that unpooling needs.

    Shape: (n, c, h, w) -> (n, c, h', w'), h' = floor((h + 2p - kh)/s) + 1, ceil with ``ceil_mode``;
        the indices have the same shape in int64.
    Weights: none.
    Work: comparisons = output elements * (kh * kw - 1).
    Source: torch.nn.MaxPool2d; switches: Zeiler and Fergus 2013.
    """

    return_indices: bool = False

    def infer(self, inputs: Specs) -> Specs:
        """Return the maxima, and their indices if asked."""
        out = self._pooled(inputs)
        return (out, TensorSpec(out.shape, "int64")) if self.return_indices else (out,)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the comparisons."""
        return Work(comparisons=outputs[0].numel * (prod(self.kernel) - 1))


@dataclass(frozen=True, slots=True)
class AvgPool2d(_Pool):
    """Mean of each window.

    ``count_include_pad`` divides by the whole window also where it covers padding.

    Shape: (n, c, h, w) -> (n, c, h', w'), h' = floor((h + 2p - kh)/s) + 1, ceil with ``ceil_mode``.
    Weights: none.
    Work: additions = output elements * (kh * kw - 1); divisions = output elements.
    Source: torch.nn.AvgPool2d.
    """

    count_include_pad: bool = True

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the additions and the divisions."""
        numel = outputs[0].numel
        return Work(additions=numel * (prod(self.kernel) - 1), divisions=numel)


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


@dataclass(frozen=True, slots=True)
class _AdaptivePool(NoWeights, Op):
    output_size: Axes

    @property
    def detail(self) -> str:
        """Return the extents that come out."""
        return "to " + "x".join(map(str, self.output_size))

    def infer(self, inputs: Specs) -> Specs:
        """Return (n, c, *output_size)."""
        n, c, _ = image(inputs, 2)
        return (TensorSpec((n, c, *self.output_size), inputs[0].dtype),)

    def _taps(self, inputs: Specs) -> int:
        n, c, extents = image(inputs, 2)
        axes = zip(extents, self.output_size, strict=True)
        return n * c * prod(adaptive_taps(extent, out) for extent, out in axes)

    def reach(self, inputs: Specs) -> Reach:
        """Return everything where one element comes out, the window where the division is even."""
        windows = []
        for extent, out in zip(inputs[0].shape[2:], self.output_size, strict=True):
            if extent % out:
                return "everything"
            windows.append(Window(extent // out, extent // out))
        return "everything" if self.output_size == (1, 1) else Sliding(tuple(windows))


@dataclass(frozen=True, slots=True)
class AdaptiveAvgPool2d(_AdaptivePool):
    """Mean over windows that are laid out so that ``output_size`` comes out.

    Shape: (n, c, h, w) -> (n, c, *output_size); output i reads floor(i*h/h') to ceil((i+1)*h/h').
    Weights: none.
    Work: additions = taps - output elements; divisions = output elements.
    Source: torch.nn.AdaptiveAvgPool2d.
    """

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the additions and the divisions."""
        numel = outputs[0].numel
        return Work(additions=self._taps(inputs) - numel, divisions=numel)


@dataclass(frozen=True, slots=True)
class AdaptiveMaxPool2d(_AdaptivePool):
    """Largest element of windows that are laid out so that ``output_size`` comes out.

    Shape: (n, c, h, w) -> (n, c, *output_size); output i reads floor(i*h/h') to ceil((i+1)*h/h').
    Weights: none.
    Work: comparisons = taps - output elements.
    Source: torch.nn.AdaptiveMaxPool2d.
    """

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the comparisons."""
        return Work(comparisons=self._taps(inputs) - outputs[0].numel)


@dataclass(frozen=True, slots=True)
class GlobalAvgPool2d(NoWeights, Op):
    """Mean of each whole map.

    Shape: (n, c, h, w) -> (n, c, 1, 1).
    Weights: none.
    Work: additions = n * c * (h * w - 1); divisions = n * c.
    Source: Lin et al. 2013; torch.nn.AdaptiveAvgPool2d(1).
    """

    @property
    def detail(self) -> str:
        """Return nothing: the name says it."""
        return ""

    def infer(self, inputs: Specs) -> Specs:
        """Return (n, c, 1, 1)."""
        n, c, _ = image(inputs, 2)
        return (TensorSpec((n, c, 1, 1), inputs[0].dtype),)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the additions and the divisions."""
        numel = outputs[0].numel
        return Work(additions=inputs[0].numel - numel, divisions=numel)

    def reach(self, inputs: Specs) -> Reach:
        """Return everything."""
        return "everything"


@dataclass(frozen=True, slots=True)
class MaxUnpool2d(NoWeights, NoWork, Op):
    """Puts each element back where the max-pooling's switch found it; zeros elsewhere.

    Shape: (n, c, h, w), indices (n, c, h, w) -> (n, c, h', w'), h' = (h-1)*s - 2p + kh; with a
        third input the result takes that tensor's height and width.
    Weights: none.
    Work: none, elements only move.
    Source: Zeiler and Fergus 2013, section 2.1; torch.nn.MaxUnpool2d.
    """

    kernel: Axes
    stride: Axes
    padding: Axes = (0, 0)

    @property
    def detail(self) -> str:
        """Return the window of the pooling that it undoes."""
        return window_detail(self.kernel, self.stride, self.padding, (1, 1))

    def _windows(self) -> tuple[Window, ...]:
        return tuple(
            Window(k, s, p, p)
            for k, s, p in zip(self.kernel, self.stride, self.padding, strict=True)
        )

    def infer(self, inputs: Specs) -> Specs:
        """Return the extents before the pooling."""
        n, c, extents = image(inputs, 2)
        if len(inputs) < 2 or inputs[1].shape != inputs[0].shape:
            raise OpError("it needs the indices of the max-pooling, of the input's shape")
        out = tuple(w.transposed_out(e) for w, e in zip(self._windows(), extents, strict=True))
        if len(inputs) > 2:
            wanted = inputs[2].shape[2:]
            for usual, want, stride in zip(out, wanted, self.stride, strict=True):
                if abs(want - usual) >= stride:
                    raise OpError(f"the asked extent {want} must lie within {stride} of {usual}")
            out = wanted
        return (TensorSpec((n, c, *out), inputs[0].dtype),)

    def reach(self, inputs: Specs) -> Reach:
        """Return the window, read backwards."""
        return Sliding(self._windows(), transposed=True)
