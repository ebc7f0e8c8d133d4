"""Convolutions of one, two and three axes, transposed, and with LeNet-5's partial connections.

``paper`` counts a tap that falls on padding like any other: a convolution's MACs are its output
elements times the taps of one output.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from cnnstat.ir.op import Op, OpError, Specs, Weight
from cnnstat.ir.reach import Reach, Sliding
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import Axes, Padding, Sides, Window, fixed_windows, sides_of, windows
from cnnstat.ir.work import Work, complex_convolution


def window_detail(kernel: Axes, stride: Axes, padding: Padding, dilation: Axes) -> str:
    """Return a window in the short form ``3x3/2 pad 1``, without what is 1 or 0.

    ``pad 0+1`` is a padding of 0 elements before the axis and 1 after it.
    """
    parts = ["x".join(map(str, kernel))]
    if set(stride) != {1}:
        parts[0] += "/" + _per_axis(stride)
    if padding == "same":
        parts.append("same")
    elif any(map(any, map(sides_of, padding))):
        parts.append("pad " + _per_axis(padding))
    if set(dilation) != {1}:
        parts.append("dilation " + _per_axis(dilation))
    return " ".join(parts)


def _per_axis(values: Sequence[Sides]) -> str:
    texts = ["+".join(map(str, v)) if isinstance(v, tuple) else str(v) for v in values]
    return texts[0] if len(set(texts)) == 1 else "x".join(texts)


def check_window(
    kernel: Axes, stride: Axes, padding: Padding, dilation: Axes, *, rank: int
) -> None:
    """Raise ``OpError`` unless each parameter has ``rank`` axes and is a legal extent."""
    for name, values in (("kernel", kernel), ("stride", stride), ("dilation", dilation)):
        if len(values) != rank:
            raise OpError(f"{name} (={values}) needs {rank} axes")
        if any(value < 1 for value in values):
            raise OpError(f"{name} (={values}) must be at least 1")
    if padding != "same":
        _check_padding(padding, rank)


def _check_padding(padding: tuple[Sides, ...], rank: int) -> None:
    if len(padding) != rank:
        raise OpError(f"padding (={padding}) needs {rank} axes")
    for sides in padding:
        pair = (sides, sides) if isinstance(sides, int) else sides
        whole = isinstance(pair, tuple) and all(type(side) is int for side in pair)
        if not whole or len(pair) != 2:
            raise OpError(f"padding (={padding}) needs whole numbers: one per axis, or a pair")
        if min(pair) < 0:
            raise OpError(f"padding (={padding}) must be at least 0")


def image(inputs: Specs, rank: int) -> tuple[int, int, Axes]:
    """Return batch, channels and extents of the first input; raise ``OpError`` at another rank."""
    if not inputs:
        raise OpError("it needs an input")
    shape = inputs[0].shape
    if len(shape) != rank + 2:
        raise OpError(
            f"it needs {rank + 2} axes (batch, channels, {rank} spatial), got {len(shape)}"
        )
    return shape[0], shape[1], shape[2:]


def check_channels(out_channels: int, groups: int) -> None:
    """Raise ``OpError`` unless there is something to put out."""
    if out_channels < 1 or groups < 1:
        raise OpError(f"out_channels (={out_channels}) and groups (={groups}) must be at least 1")


def grouped(inputs: Specs, rank: int, out_channels: int, groups: int) -> tuple[int, int, Axes]:
    """Return ``image`` of the inputs; raise ``OpError`` where groups do not divide the channels."""
    n, c, extents = image(inputs, rank)
    for name, channels in (("in_channels", c), ("out_channels", out_channels)):
        if channels % groups:
            raise OpError(f"{name} (={channels}) must be divisible by groups (={groups})")
    return n, c, extents


class Kernels(Op):
    """What convolutions of every kind have: a window, groups, kernels and a bias."""

    __slots__ = ()
    rank: ClassVar[int] = 2
    is_layer: ClassVar[bool] = True

    out_channels: int
    kernel: Axes
    stride: Axes
    padding: Padding
    dilation: Axes
    groups: int
    bias: bool

    def __post_init__(self) -> None:
        check_window(self.kernel, self.stride, self.padding, self.dilation, rank=self.rank)
        check_channels(self.out_channels, self.groups)

    @property
    def detail(self) -> str:
        """Return the window, and the groups where there are several."""
        window = window_detail(self.kernel, self.stride, self.padding, self.dilation)
        return f"{window} groups {self.groups}" if self.groups > 1 else window

    def stored(self, *channels: int) -> tuple[Weight, ...]:
        """Return kernels between these channels, and the bias if there is one."""
        kernels = Weight("weight", (*channels, *self.kernel))
        return (kernels, Weight("bias", (self.out_channels,), "bias")) if self.bias else (kernels,)

    def products(self, inputs: Specs, outputs: Specs, *, macs: int) -> Work:
        """Return the work of these multiply-accumulates, of complex numbers where the input is."""
        numel = outputs[0].numel
        bias_adds = numel if self.bias else 0
        if not inputs[0].is_complex:
            return Work(macs=macs, bias_adds=bias_adds)
        kernels = self.weights(inputs)[0].numel
        return complex_convolution(
            macs, bias_adds, inputs=inputs[0].numel, kernels=kernels, outputs=numel
        )


@dataclass(frozen=True, slots=True)
class _Conv(Kernels):
    counts_complex: ClassVar[bool] = True

    out_channels: int
    kernel: Axes
    stride: Axes = (1, 1)
    padding: Padding = (0, 0)
    dilation: Axes = (1, 1)
    groups: int = 1
    bias: bool = True

    def windows(self, extents: Axes) -> tuple[Window, ...]:
        """Return the window of each axis on an input of these extents."""
        return windows(extents, self.kernel, self.stride, self.padding, self.dilation, False)

    def infer(self, inputs: Specs) -> Specs:
        """Return (n, out_channels, positions of the window on each axis)."""
        n, _, extents = grouped(inputs, self.rank, self.out_channels, self.groups)
        out = tuple([w.out(e) for w, e in zip(self.windows(extents), extents, strict=True)])
        return (TensorSpec((n, self.out_channels, *out), inputs[0].dtype),)

    def weights(self, inputs: Specs) -> tuple[Weight, ...]:
        """Return the kernels, and the bias if there is one."""
        return self.stored(self.out_channels, inputs[0].shape[1] // self.groups)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return one MAC per tap of each output element, one bias addition per output element."""
        taps = inputs[0].shape[1] // self.groups * prod(self.kernel)
        return self.products(inputs, outputs, macs=outputs[0].numel * taps)

    def reach(self, inputs: Specs) -> Reach:
        """Return the window."""
        return Sliding(self.windows(inputs[0].shape[2:]), groups=self.groups)


@dataclass(frozen=True, slots=True)
class Conv1d(_Conv):
    """Convolution along one axis.

    Shape: (n, c, l) -> (n, out_channels, floor((l + 2p - d(k-1) - 1)/s) + 1).
    Weights: out_channels * c/groups * k, and out_channels biases.
    Work: macs = n * out_channels * l_out * c/groups * k; bias_adds = n * out_channels * l_out.
    Source: torch.nn.Conv1d.
    """

    rank: ClassVar[int] = 1
    stride: Axes = (1,)
    padding: Padding = (0,)
    dilation: Axes = (1,)


@dataclass(frozen=True, slots=True)
class Conv2d(_Conv):
    """Convolution over height and width (cross-correlation, as every framework computes it).

    Shape: (n, c, h, w) -> (n, out_channels, h', w'), h' = floor((h + 2p - d(kh-1) - 1)/s) + 1, w'
        alike; padding ``same``: h' = ceil(h/s).
    Weights: out_channels * c/groups * kh * kw, and out_channels biases.
    Work: macs = n * out_channels * h' * w' * c/groups * kh * kw; bias_adds = n * out_channels * h'
        * w'.
    Source: LeCun et al. 1998; torch.nn.Conv2d. ``groups``: Krizhevsky et al. 2012.
    """


@dataclass(frozen=True, slots=True)
class Conv3d(_Conv):
    """Convolution over depth, height and width.

    Shape: (n, c, d, h, w) -> (n, out_channels, d', h', w'), each axis floor((x + 2p - dil(k-1) -
        1)/s) + 1.
    Weights: out_channels * c/groups * kd * kh * kw, and out_channels biases.
    Work: macs = output elements * c/groups * kd * kh * kw; bias_adds = output elements.
    Source: torch.nn.Conv3d.
    """

    rank: ClassVar[int] = 3
    stride: Axes = (1, 1, 1)
    padding: Padding = (0, 0, 0)
    dilation: Axes = (1, 1, 1)


@dataclass(frozen=True, slots=True)
class ConnectedConv2d(Op):
    """Convolution whose output maps each read the input maps that a connection table lists.

    Shape: (n, c, h, w) -> (n, len(connections), h', w'), h' = floor((h - kh)/1) + 1: stride 1, no
        padding.
    Weights: kh * kw for each connection, one bias per output map. LeNet-5's C3: 60 * 25 + 16 =
        1,516.
    Work: macs = n * h' * w' * connections * kh * kw; bias_adds = n * output maps * h' * w'.
    Source: LeCun et al. 1998, table I.
    """

    is_layer: ClassVar[bool] = True
    connections: tuple[tuple[int, ...], ...]
    kernel: Axes

    @property
    def count(self) -> int:
        """Number of connections, the kernels that are stored."""
        return sum(map(len, self.connections))

    @property
    def detail(self) -> str:
        """Return the window and the number of connections."""
        return f"{window_detail(self.kernel, (1, 1), (0, 0), (1, 1))} {self.count} connections"

    def _windows(self) -> tuple[Window, ...]:
        return tuple(Window(k) for k in self.kernel)

    def infer(self, inputs: Specs) -> Specs:
        """Return one map per row of the table."""
        n, c, extents = image(inputs, 2)
        highest = max(max(row) for row in self.connections)
        if highest >= c:
            raise OpError(f"the connection table reads map {highest}, but there are {c}")
        out = [w.out(e) for w, e in zip(self._windows(), extents, strict=True)]
        return (TensorSpec((n, len(self.connections), *out), inputs[0].dtype),)

    def weights(self, inputs: Specs) -> tuple[Weight, ...]:
        """Return one kernel per connection and one bias per output map."""
        return (
            Weight("weight", (self.count, *self.kernel)),
            Weight("bias", (len(self.connections),), "bias"),
        )

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the taps of the connections that exist."""
        n, _, h, w = outputs[0].shape
        return Work(macs=n * h * w * self.count * prod(self.kernel), bias_adds=outputs[0].numel)

    def reach(self, inputs: Specs) -> Reach:
        """Return the window."""
        return Sliding(self._windows(), groups=1)


@dataclass(frozen=True, slots=True)
class _ConvTranspose(Kernels):
    reads: ClassVar[tuple[int, int | None]] = (1, 2)
    counts_complex: ClassVar[bool] = True

    out_channels: int
    kernel: Axes
    stride: Axes = (1, 1)
    padding: tuple[Sides, ...] = (0, 0)
    dilation: Axes = (1, 1)
    output_padding: Axes = (0, 0)
    groups: int = 1
    bias: bool = True

    def __post_init__(self) -> None:
        Kernels.__post_init__(self)
        if len(self.output_padding) != self.rank:
            raise OpError(f"output_padding (={self.output_padding}) needs {self.rank} axes")
        for extra, s, d in zip(self.output_padding, self.stride, self.dilation, strict=True):
            if not 0 <= extra < max(s, d):
                raise OpError(
                    f"output_padding (={extra}) must be less than stride (={s}) or dilation"
                )

    def windows(self) -> tuple[Window, ...]:
        """Return the window of each axis; its padding is cut off the result."""
        return fixed_windows(self.kernel, self.stride, self.padding, self.dilation)

    def infer(self, inputs: Specs) -> Specs:
        """Return the spread extents."""
        n, _, extents = grouped(inputs, self.rank, self.out_channels, self.groups)
        out = tuple(
            w.transposed_out(e, extra)
            for w, e, extra in zip(self.windows(), extents, self.output_padding, strict=True)
        )
        computed = {weight.shape for weight in self.weights(inputs)}  # read, where they are
        if len(inputs) > 1 and inputs[1].shape not in computed:
            out = self._like(out, inputs[1].shape[2:])
        return (TensorSpec((n, self.out_channels, *out), inputs[0].dtype),)

    def _like(self, least: Axes, wanted: Axes) -> Axes:
        for low, want, stride in zip(least, wanted, self.stride, strict=True):
            if not low <= want < low + stride:
                raise OpError(
                    f"the requested extent {want} must lie in {low} to {low + stride - 1}"
                )
        return wanted

    def weights(self, inputs: Specs) -> tuple[Weight, ...]:
        """Return the kernels, input channels first, and the bias if there is one."""
        return self.stored(inputs[0].shape[1], self.out_channels // self.groups)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return one MAC per tap of each input element, one bias addition per output element."""
        taps = self.out_channels // self.groups * prod(self.kernel)
        return self.products(inputs, outputs, macs=inputs[0].numel * taps)

    def reach(self, inputs: Specs) -> Reach:
        """Return the window, read backwards."""
        return Sliding(self.windows(), transposed=True, groups=self.groups)


@dataclass(frozen=True, slots=True)
class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution along one axis.

    Shape: (n, c, l) -> (n, out_channels, (l-1)*s - 2p + d(k-1) + 1 + output_padding). With a second
        input the result takes that tensor's length, where a legal output_padding gives it.
    Weights: c * out_channels/groups * k, and out_channels biases.
    Work: macs = n * c * l * out_channels/groups * k; bias_adds = output elements.
    Source: torch.nn.ConvTranspose1d.
    """

    rank: ClassVar[int] = 1
    stride: Axes = (1,)
    padding: tuple[Sides, ...] = (0,)
    dilation: Axes = (1,)
    output_padding: Axes = (0,)


@dataclass(frozen=True, slots=True)
class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution: each input element spreads one kernel over the output.

    Shape: (n, c, h, w) -> (n, out_channels, h', w'), h' = (h-1)*s - 2p + d(kh-1) + 1 +
        output_padding. With a second input the result takes that tensor's height and width, where a
        legal output_padding gives them.
    Weights: c * out_channels/groups * kh * kw, and out_channels biases.
    Work: macs = n * c * h * w * out_channels/groups * kh * kw; bias_adds = output elements.
    Source: Zeiler and Fergus 2013 (deconvnet); torch.nn.ConvTranspose2d.
    """


@dataclass(frozen=True, slots=True)
class ConvTranspose3d(_ConvTranspose):
    """Transposed convolution over depth, height and width.

    Shape: (n, c, d, h, w) -> (n, out_channels, d', h', w'), each axis (x-1)*s - 2p + dil(k-1) + 1 +
        output_padding. With a second input the result takes that tensor's extents, where a legal
        output_padding gives them.
    Weights: c * out_channels/groups * kd * kh * kw, and out_channels biases.
    Work: macs = input elements * out_channels/groups * kd * kh * kw; bias_adds = output elements.
    Source: torch.nn.ConvTranspose3d.
    """

    rank: ClassVar[int] = 3
    stride: Axes = (1, 1, 1)
    padding: tuple[Sides, ...] = (0, 0, 0)
    dilation: Axes = (1, 1, 1)
    output_padding: Axes = (0, 0, 0)


CONVOLUTIONS: tuple[type[Op], ...] = (Conv1d, Conv2d, Conv3d)
TRANSPOSED: tuple[type[Op], ...] = (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
