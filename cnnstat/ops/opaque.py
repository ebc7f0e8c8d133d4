"""An operator that only its reader knows: it is carried, named and never counted as zero."""

from dataclasses import dataclass
from typing import ClassVar

from cnnstat.ir.op import Op, Specs, Weight
from cnnstat.ir.reach import Reach
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.work import Work


@dataclass(frozen=True, slots=True)
class Opaque(Op):
    """A foreign operator of which the name and the results' specs are known, and maybe its work.

    Shape: whatever was captured: ``outputs``, whatever the inputs.
    Weights: ``stored``, those that its reader knows of; by default none.
    Work: ``operations`` where its reader defines them; else unknown: its row shows ``?`` and makes
        the report partial.
    Source: the graph that it was imported from.
    """

    reads: ClassVar[tuple[int, int | None]] = (0, None)
    counts_complex: ClassVar[bool] = True
    is_foreign: ClassVar[bool] = True

    foreign_name: str
    outputs: tuple[TensorSpec, ...]
    operations: Work | None = None
    rule: str = ""
    """Whose rule the operations are by, where it is not the reader's own."""
    stored: tuple[Weight, ...] = ()

    @property
    def type_name(self) -> str:
        """The foreign name."""
        return self.foreign_name

    @property
    def detail(self) -> str:
        """Return the shapes of its weights; without any, ``no rule`` where there is none."""
        if self.stored:
            shapes = ("x".join(map(str, weight.shape)) or "scalar" for weight in self.stored)
            names = (weight.name for weight in self.stored)
            return ", ".join(map("{} {}".format, names, shapes))
        return "no rule" if self.operations is None else ""

    def infer(self, inputs: Specs) -> Specs:
        """Return the captured specs."""
        return self.outputs

    def weights(self, inputs: Specs) -> tuple[Weight, ...]:
        """Return the weights that its reader knows of."""
        return self.stored

    def work(self, inputs: Specs, outputs: Specs) -> Work | None:
        """Return what the reader defined; None where unknown."""
        return self.operations

    def reach(self, inputs: Specs) -> Reach:
        """Return unknown."""
        return "unknown"
