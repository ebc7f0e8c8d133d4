"""An operator that cnnstat has no rule for: it is carried, named and never counted as zero."""

from dataclasses import dataclass
from typing import ClassVar

from cnnstat.ir.op import NoWeights, Op, Specs
from cnnstat.ir.reach import Reach
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.work import Work


@dataclass(frozen=True, slots=True)
class Opaque(NoWeights, Op):
    """A foreign operator of which only the name and the results' specs are known.

    Shape: whatever was captured: ``outputs``, whatever the inputs.
    Weights: none of its own.
    Work: unknown; its row shows ``?`` and makes the report partial.
    Source: the graph that it was imported from.
    """

    reads: ClassVar[tuple[int, int | None]] = (0, None)

    foreign_name: str
    outputs: tuple[TensorSpec, ...]

    @property
    def type_name(self) -> str:
        """The foreign name."""
        return self.foreign_name

    @property
    def detail(self) -> str:
        """Return ``no rule``."""
        return "no rule"

    def infer(self, inputs: Specs) -> Specs:
        """Return the captured specs."""
        return self.outputs

    def work(self, inputs: Specs, outputs: Specs) -> Work | None:
        """Return None: nobody knows."""
        return None

    def reach(self, inputs: Specs) -> Reach:
        """Return unknown."""
        return "unknown"
