"""Convolutions whose window is bent: each tap reads between elements, where an offset says."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from cnnstat.ir.op import Op, OpError, Specs, Weight
from cnnstat.ir.reach import Reach
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import Axes, Padding, windows
from cnnstat.ir.work import Work
from cnnstat.ops.conv import image, window_detail


@dataclass(frozen=True, slots=True)
class DeformConv2d(Op):
    """Convolution whose taps are displaced by computed offsets, and weighed by a mask.

    Shape: (n, c, h, w), offsets (n, 2*og*kh*kw, h', w'), a mask (n, og*kh*kw, h', w') if there is
        one -> (n, out_channels, h', w'), h' as of a convolution; og groups of channels share an
        offset.
    Weights: out_channels * c/groups * kh * kw, and out_channels biases.
    Work: macs = output elements * c/groups * kh * kw; for each tap of each input channel at each
        position 4 multiplications and 3 additions between elements, a multiplication by the mask;
        bias_adds = output elements.
    Source: Dai et al. 2017; Zhu et al. 2018 (the mask); torchvision.ops.deform_conv2d.
    """

    is_layer: ClassVar[bool] = True
    reads: ClassVar[tuple[int, int | None]] = (2, 3)

    out_channels: int
    kernel: Axes
    stride: Axes = (1, 1)
    padding: Padding = (0, 0)
    dilation: Axes = (1, 1)
    groups: int = 1
    bias: bool = True

    def __post_init__(self) -> None:
        if self.groups < 1 or self.out_channels % self.groups:
            raise OpError(
                f"out_channels (={self.out_channels}) must be divisible by groups (={self.groups})"
            )

    @property
    def detail(self) -> str:
        """Return the window."""
        return window_detail(self.kernel, self.stride, self.padding, self.dilation)

    def _channels(self, inputs: Specs) -> int:
        _, c, _ = image(inputs, 2)
        if c % self.groups:
            raise OpError(f"in_channels (={c}) must be divisible by groups (={self.groups})")
        return c // self.groups

    def infer(self, inputs: Specs) -> Specs:
        """Return the positions of the window, which the offsets must have, too."""
        n, _, extents = image(inputs, 2)
        self._channels(inputs)
        over = windows(extents, self.kernel, self.stride, self.padding, self.dilation, False)
        made = tuple(window.out(extent) for window, extent in zip(over, extents, strict=True))
        if len(inputs) < 2 or inputs[1].shape[2:] != made:
            raise OpError(f"offsets must lie at {made[0]}x{made[1]} positions")
        return (TensorSpec((n, self.out_channels, *made), inputs[0].dtype),)

    def weights(self, inputs: Specs) -> tuple[Weight, ...]:
        """Return the kernels and the biases."""
        kernels = Weight("weight", (self.out_channels, self._channels(inputs), *self.kernel))
        return (kernels, Weight("bias", (self.out_channels,), "bias")) if self.bias else (kernels,)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the products, and the values between elements that they take."""
        n, c, _ = image(inputs, 2)
        numel, taps = outputs[0].numel, prod(self.kernel)
        read = n * c * taps * prod(outputs[0].shape[2:])
        return Work(
            macs=numel * self._channels(inputs) * taps,
            bias_adds=numel if self.bias else 0,
            multiplications=read * (5 if len(inputs) > 2 else 4),
            additions=3 * read,
        )

    def reach(self, inputs: Specs) -> Reach:
        """Return unknown: the offsets are computed."""
        return "unknown"
