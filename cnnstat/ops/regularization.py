"""Operators that act in training alone: in inference they pass their input on at no cost."""

from dataclasses import dataclass
from typing import ClassVar

from cnnstat.ir.op import Elementwise, NoWeights, NoWork, Op, OpError, SameShape, Storage


@dataclass(frozen=True, slots=True)
class Dropout(SameShape, NoWeights, NoWork, Elementwise, Op):
    """Zeroes each element with probability ``p`` in training.

    Shape: any -> the same.
    Weights: none.
    Work: none in inference.
    Source: Hinton et al. 2012; torch.nn.Dropout.
    """

    storage: ClassVar[Storage] = "in_place"
    p: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise OpError(f"p (={self.p}) must lie in 0 to 1")

    @property
    def detail(self) -> str:
        """Return the probability."""
        return f"{self.p:g}"


@dataclass(frozen=True, slots=True)
class DropPath(SameShape, NoWeights, NoWork, Elementwise, Op):
    """Drops a whole path in training; it survives with probability ``survival``.

    Shape: any -> the same.
    Weights: none.
    Work: none in inference, where the path is scaled by ``survival``, which folds into its last
        weights.
    Source: Huang et al. 2016 (stochastic depth).
    """

    storage: ClassVar[Storage] = "in_place"
    survival: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.survival <= 1:
            raise OpError(f"survival (={self.survival}) must lie in 0 to 1")

    @property
    def detail(self) -> str:
        """Return the probability of survival."""
        return f"survival {self.survival:g}"
