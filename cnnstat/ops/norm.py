"""Normalisations of maps, in their inference form."""

from dataclasses import dataclass
from typing import ClassVar

from cnnstat.ir.op import (
    NoDetail,
    NoWeights,
    Op,
    OpError,
    SameShape,
    Specs,
    Storage,
    Weight,
)
from cnnstat.ir.reach import POINT, ByAxis, Reach, Slide, normalised
from cnnstat.ir.window import Window
from cnnstat.ir.work import Work


@dataclass(frozen=True, slots=True)
class BatchNorm2d(NoDetail, Op):
    """Batch normalisation with the running statistics, per channel.

    y = (x - mean)/sqrt(var + eps) * scale + shift.

    Shape: (n, c, ...) -> the same.
    Weights: c scales and c shifts; c running means and c running variances are buffers, where the
        statistics are ``tracked``.
    Work: normalized = n * c * h * w (one multiplication and one addition each, the statistics
        folded); untracked, 3 additions and a multiplication per element more for mean and variance.
    Source: Ioffe and Szegedy 2015; torch.nn.BatchNorm2d in evaluation mode.
    """

    storage: ClassVar[Storage] = "in_place"
    affine: bool = True
    tracked: bool = True
    eps: float = 1e-5

    def infer(self, inputs: Specs) -> Specs:
        """Return the input's spec."""
        if not inputs or len(inputs[0].shape) < 2:
            raise OpError("it needs at least 2 axes (batch, channels)")
        return inputs[:1]

    def weights(self, inputs: Specs) -> tuple[Weight, ...]:
        """Return scale and shift where affine, and the running statistics."""
        c = inputs[0].shape[1]
        affine = (Weight("weight", (c,)), Weight("bias", (c,), "bias")) if self.affine else ()
        if not self.tracked:
            return affine
        statistics = Weight("running_mean", (c,), "buffer"), Weight("running_var", (c,), "buffer")
        return (*affine, *statistics)

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the normalised elements."""
        numel = inputs[0].numel
        if self.tracked:
            return Work(normalized=numel)
        return Work(normalized=numel, additions=3 * numel, multiplications=numel)

    def reach(self, inputs: Specs) -> Reach:
        """Return its own position; without stored statistics all positions of the batch."""
        if self.tracked:
            return "elementwise"
        axes = [axis for axis in range(inputs[0].rank) if axis != 1]
        return normalised(inputs[0].shape, axes)


@dataclass(frozen=True, slots=True)
class LocalResponseNorm(SameShape, NoWeights, Op):
    """Local response normalisation across channels.

    y = x / (k + alpha/n * sum of squares over n channels)^beta.

    Shape: (b, c, h, w) -> the same.
    Weights: none.
    Work: per element n additions (the sum and k), 2 multiplications (the square and alpha), a
        power, a division.
    Source: Krizhevsky et al. 2012, section 3.3 (n=5, alpha=1e-4, beta=0.75, k=2);
        torch.nn.LocalResponseNorm, which divides alpha by n. Windows cut off at the first and last
        channels are counted whole.
    """

    storage: ClassVar[Storage] = "in_place"
    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 2.0

    @property
    def detail(self) -> str:
        """Return the number of channels of a window."""
        return f"over {self.size}"

    def work(self, inputs: Specs, outputs: Specs) -> Work:
        """Return the operations of the formula."""
        numel = inputs[0].numel
        return Work(
            additions=self.size * numel,
            multiplications=2 * numel,
            exponentials=numel,
            divisions=numel,
        )

    def reach(self, inputs: Specs) -> Reach:
        """Return the window of channels."""
        channels = Window(self.size, 1, self.size // 2, (self.size - 1) // 2)
        axes = [Slide(axis, channels if axis == 1 else POINT) for axis in range(inputs[0].rank)]
        return ByAxis((tuple(axes),))
