"""A function of tensors that is not a layer, whose work has a definition by its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from cnnstat.ir.op import Arguments, NoDetail, NoWeights, Op, OpError, Specs
from cnnstat.ir.reach import Reach
from cnnstat.ir.tensor import UNKNOWN, TensorSpec
from cnnstat.ir.work import NO_WORK, Work
from cnnstat.ops.definitions import CAVEATS, COMPLEX, DEFINITIONS, WHOLE, Use
from cnnstat.ops.definitions.reach import reach_of


@dataclass(frozen=True, slots=True)
class Function(NoWeights, NoDetail, Op):
    """A function of ``cnnstat.ops.definitions`` on tensors: a sort, a transform, a loss.

    Shape: any -> ``results``, as captured.
    Weights: none.
    Work: the definition of ``kind``; none of whole numbers alone; unknown of complex ones unless
        the definition says so.
    Source: named in the file of the definition.
    """

    reads: ClassVar[tuple[int, int | None]] = (0, None)
    counts_complex: ClassVar[bool] = True

    kind: str
    results: tuple[TensorSpec, ...]
    arguments: Arguments = ()
    """By PyTorch's names, as far as they are numbers, texts and lists of them."""
    names: tuple[str, ...] = ()
    """Of the tensors that are read, as PyTorch names the arguments."""
    shown: str = ""
    """The name in tables where it is not ``kind``."""

    def __post_init__(self) -> None:
        if self.kind not in DEFINITIONS:
            raise OpError(f"kind (={self.kind!r}) has no definition of its work")

    @property
    def type_name(self) -> str:
        """The name of the function where it was read."""
        return self.shown or self.kind

    @property
    def caveat(self) -> str:
        """Say what the count stands for where work or results depend on values; else nothing."""
        fixed = dict(self.arguments).get("sampling_ratio", 0)
        return "" if isinstance(fixed, int) and fixed > 0 else CAVEATS.get(self.kind, "")

    def infer(self, inputs: Specs) -> Specs:
        """Return the captured specs."""
        return self.results

    def _use(self, inputs: Specs) -> Use:
        arguments: Mapping[str, Any] = dict(self.arguments)
        return Use(arguments, inputs, self.names, self.results)

    def work(self, inputs: Specs, outputs: Specs) -> Work | None:
        """Return the work by definition; None where it, or the shape of a result, is unknown."""
        if any(spec is UNKNOWN for spec in self.results):
            return None
        specs = (*inputs, *self.results)
        if any(spec.is_complex for spec in specs) and self.kind not in COMPLEX:
            return None
        if self.kind not in WHOLE and not any(s.is_float or s.is_complex for s in specs):
            return NO_WORK
        try:
            return DEFINITIONS[self.kind](self._use(inputs))
        except (KeyError, IndexError, ValueError, TypeError):
            return None  # an argument that the definition needs is not a plain one

    def reach(self, inputs: Specs) -> Reach:
        """Return what one element of the first result reads, where it is known."""
        return reach_of(self.kind, self._use(inputs))

    def reach_of_result(self, inputs: Specs, number: int) -> Reach:
        """Return the same of a further result where that has the first one's shape."""
        same = self.results[number].shape == self.results[0].shape
        return self.reach(inputs) if same else "unknown"
