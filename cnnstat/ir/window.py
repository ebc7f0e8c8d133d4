"""Sliding windows along one axis: the only place where a floor division for shapes is written.

An axis of n elements is padded, then a window of ``kernel`` taps, ``dilation`` apart, starts every
``stride`` elements. Convolutions, transposed convolutions and poolings of any rank hold one
``Window`` per axis.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import gcd
from typing import Literal, NamedTuple

Axes = tuple[int, ...]
"""One integer per spatial axis."""

Sides = int | tuple[int, int]
"""Elements added on both sides of an axis, or those before it and those after it."""

Padding = tuple[Sides, ...] | Literal["same"]
"""Padding of each axis; ``same``: as much as makes the output ceil(n / stride)."""


class WindowError(ValueError):
    """A window that does not fit on its axis, or is none; the caller adds node and shapes."""


class Window(NamedTuple):
    """One axis of a sliding window; ``before`` and ``after`` are the padded elements."""

    kernel: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1
    ceil_mode: bool = False

    @property
    def extent(self) -> int:
        """Elements from the first tap to the last: dilation*(kernel - 1) + 1."""
        return self.dilation * (self.kernel - 1) + 1

    def out(self, n: int) -> int:
        """Return the positions on n elements: floor((n + before + after - extent) / stride) + 1.

        With ``ceil_mode`` the division rounds up, but a window that would start in the padding
        after the axis is dropped; the first may hang over the end (PyTorch's rules). Raises
        ``WindowError`` where no window fits.
        """
        span = n + self.before + self.after - self.extent
        count = (-(-span // self.stride) if self.ceil_mode else span // self.stride) + 1
        if self.ceil_mode and (count - 1) * self.stride >= n + self.before:
            count -= 1
        if count < 1:
            raise WindowError(
                f"a window of {self.extent} does not fit on {n} "
                f"(+{self.before + self.after} padding) elements"
            )
        return count

    def padding_read(self, n: int) -> tuple[int, int]:
        """Return the padding that the windows on n elements cover, before the axis and after it.

        With ``ceil_mode`` the last window may end beyond ``after``, or before it.
        """
        if not self.ceil_mode:
            return self.before, self.after
        return self.before, (self.out(n) - 1) * self.stride + self.extent - n - self.before

    def transposed_out(self, n: int, output_padding: int = 0) -> int:
        """Return (n - 1)*stride - before - after + extent + output_padding."""
        count = (n - 1) * self.stride - self.before - self.after + self.extent + output_padding
        if count < 1:
            raise WindowError(
                f"a transposed window of {self.extent} leaves nothing of {n} elements"
            )
        return count


def sides_of(padding: Sides) -> tuple[int, int]:
    """Return the elements before an axis and those after it."""
    return (padding, padding) if isinstance(padding, int) else padding


def paired(sides: Sequence[tuple[int, int]]) -> tuple[Sides, ...]:
    """Return the padding of each axis, one number where its two sides agree."""
    return tuple(before if before == after else (before, after) for before, after in sides)


def fixed_windows(
    kernel: Axes, stride: Axes, padding: tuple[Sides, ...], dilation: Axes
) -> tuple[Window, ...]:
    """Return one ``Window`` per axis where the padding does not depend on the extents."""
    axes = zip(kernel, stride, map(sides_of, padding), dilation, strict=True)
    return tuple([Window(k, s, before, after, d) for k, s, (before, after), d in axes])


@lru_cache(maxsize=4096)
def windows(
    extents: Axes, kernel: Axes, stride: Axes, padding: Padding, dilation: Axes, ceil_mode: bool
) -> tuple[Window, ...]:
    """Resolve per-axis parameters into one ``Window`` per axis of ``extents``.

    ``same`` pads so that out = ceil(n / stride), the odd one at the end (TensorFlow's and Keras'
    rule; PyTorch's for stride 1).
    """
    resolved = []
    for axis, n in enumerate(extents):
        k, s, d = kernel[axis], stride[axis], dilation[axis]
        if padding == "same":
            total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
            before, after = total // 2, total - total // 2
        else:
            before, after = sides_of(padding[axis])
        resolved.append(Window(k, s, before, after, d, ceil_mode))
    return tuple(resolved)


def adaptive_span(n: int, out: int, index: int) -> tuple[int, int]:
    """Return the first element that output ``index`` of an adaptive pooling reads, and its end.

    start = floor(index*n / out), end = ceil((index + 1)*n / out).
    """
    return index * n // out, -(-(index + 1) * n // out)


def adaptive_taps(n: int, out: int) -> int:
    """Return the taps of an adaptive pooling n -> out on one axis, overlaps counted each time.

    Each inner border between two outputs that cuts an element makes it count twice: the sum of
    ceil((i + 1)*n / out) - floor(i*n / out) over the outputs is n + out - gcd(n, out).
    """
    return n + out - gcd(n, out)
