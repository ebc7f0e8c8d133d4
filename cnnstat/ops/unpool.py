"""The way back from a max-pooling: unpooling by its switches."""

from dataclasses import dataclass
from typing import ClassVar

from cnnstat.ir.op import NoWeights, NoWork, Op, OpError, Specs
from cnnstat.ir.reach import Reach, Sliding
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.window import Axes, Window
from cnnstat.ops.conv import image, window_detail


@dataclass(frozen=True, slots=True)
class MaxUnpool2d(NoWeights, NoWork, Op):
    """Puts each element back where the max-pooling's switch found it; zeros elsewhere.

    Shape: (n, c, h, w), indices (n, c, h, w) -> (n, c, h', w'), h' = (h-1)*s - 2p + kh; with a
        third input the result takes that tensor's height and width.
    Weights: none.
    Work: none, elements only move.
    Source: Zeiler and Fergus 2013, section 2.1; torch.nn.MaxUnpool2d.
    """

    reads: ClassVar[tuple[int, int | None]] = (2, 3)

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
                    raise OpError(
                        f"the requested extent {want} must lie within {stride} of {usual}"
                    )
            out = wanted
        return (TensorSpec((n, c, *out), inputs[0].dtype),)

    def reach(self, inputs: Specs) -> Reach:
        """Return the window, read backwards."""
        return Sliding(self._windows(), transposed=True)
