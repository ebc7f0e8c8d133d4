"""Convolutions whose window is bent: each tap reads between elements, where an offset says."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from cnnstat.ir.op import OpError, Specs, Weight
from cnnstat.ir.reach import Reach
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import Axes, Padding, windows
from cnnstat.ir.work import Work
from cnnstat.ops.conv import Kernels, grouped


@dataclass(frozen=True, slots=True)
class DeformConv2d(Kernels):
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

    reads: ClassVar[tuple[int, int | None]] = (2, 3)

    out_channels: int
    kernel: Axes
    stride: Axes = (1, 1)
    padding: Padding = (0, 0)
    dilation: Axes = (1, 1)
    groups: int = 1
    bias: bool = True

    def infer(self, inputs: Specs) -> Specs:
        """Return the positions of the window, which the offsets must have, too."""
        n, _, extents = grouped(inputs, 2, self.out_channels, self.groups)
        over = windows(extents, self.kernel, self.stride, self.padding, self.dilation, False)
        made = tuple(window.out(extent) for window, extent in zip(over, extents, strict=True))
        if len(inputs) < 2 or inputs[1].shape[2:] != made:
            raise OpError(f"offsets must lie at {made[0]}x{made[1]} positions")
        return (TensorSpec((n, self.out_channels, *made), inputs[0].dtype),)

    def weights(self, inputs: Specs) -> tuple[Weight, ...]:
        """Return the kernels and the biases."""
        return self.stored(self.out_channels, inputs[0].shape[1] // self.groups)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the products, and the values between elements that they take."""
        n, c = inputs[0].shape[:2]
        numel, taps = outputs[0].numel, prod(self.kernel)
        read = n * c * taps * prod(outputs[0].shape[2:])
        return Work(
            macs=numel * (c // self.groups) * taps,
            bias_adds=numel if self.bias else 0,
            multiplications=read * (5 if len(inputs) > 2 else 4),
            additions=3 * read,
        )

    def reach(self, inputs: Specs) -> Reach:
        """Return unknown: the offsets are computed."""
        return "unknown"
