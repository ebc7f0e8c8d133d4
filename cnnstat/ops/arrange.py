"""Tensors that are moved, viewed, stored or made, without arithmetic.

Importers meet hundreds of such functions: one operator carries the function's name, its arguments
and its results, another those that make a view of the same memory. ``moved`` knows where elements
come from.
"""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from cnnstat.ir.op import (
    Arguments,
    Elementwise,
    NoDetail,
    NoWeights,
    NoWork,
    Op,
    OpError,
    Role,
    Specs,
    Storage,
    Weight,
)
from cnnstat.ir.reach import Reach
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ops.moved import Move, reach_of


@dataclass(frozen=True, slots=True)
class _Arranged(NoWeights, NoWork, NoDetail, Op):
    reads: ClassVar[tuple[int, int | None]] = (0, None)
    kind: str
    results: tuple[TensorSpec, ...]
    arguments: Arguments = ()
    """By PyTorch's names, as far as they are numbers, texts and lists of them."""

    @property
    def type_name(self) -> str:
        """The function's name: ``Permute``."""
        return "".join(word.capitalize() for word in self.kind.split("_") if word)

    def infer(self, inputs: Specs) -> Specs:
        """Return the captured specs."""
        return self.results

    def reach(self, inputs: Specs) -> Reach:
        """Return where the elements of the first result come from, as ``moved`` knows it."""
        return self.reach_of_result(inputs, 0)

    def reach_of_result(self, inputs: Specs, number: int) -> Reach:
        """Return where the elements of one result come from."""
        if not inputs:
            return "elementwise"
        move = Move(dict(self.arguments), inputs, self.results, number)
        return reach_of(self.kind, move) or "unknown"


@dataclass(frozen=True, slots=True)
class View(_Arranged):
    """Another view of the first input's memory: reshape, permute, slice, split, expand.

    Shape: any -> ``results``, as captured.
    Weights: none.
    Work: none.
    Source: the view functions of torch.Tensor.
    """

    storage: ClassVar[Storage] = "view"
    quiet: ClassVar[bool] = True

    def infer(self, inputs: Specs) -> Specs:
        """Return the captured specs.

        Raises ``OpError`` if one has more elements than it can show.
        """
        if self.kind in ("view", "reshape", "permute", "transpose") and inputs:
            before, after = inputs[0].numel, prod(self.results[0].shape)
            if before != after:
                raise OpError(f"{before} elements cannot be viewed as {self.results[0]}")
        return self.results


@dataclass(frozen=True, slots=True)
class Rearrange(_Arranged):
    """Elements copied to memory of their own: pad, roll, gather, pixel shuffle, contiguous, cast.

    Shape: any -> ``results``, as captured; without inputs a constant that the model makes.
    Weights: none.
    Work: none, elements only move.
    Source: the copying functions of torch.
    """


@dataclass(frozen=True, slots=True)
class Parameter(NoWork, Elementwise, Op):
    """A stored tensor that the model uses directly, not as an operator's weight.

    Shape: () -> ``shape``.
    Weights: itself, in its role.
    Work: none.
    Source: torch.nn.Parameter and registered buffers.
    """

    reads: ClassVar[tuple[int, int | None]] = (0, 0)

    storage: ClassVar[Storage] = "view"
    shape: tuple[int, ...]
    role: Role = "weight"
    dtype: str = "float32"

    @property
    def detail(self) -> str:
        """Return the role where it is not a weight."""
        return "" if self.role == "weight" else self.role

    def infer(self, inputs: Specs) -> Specs:
        """Return its spec."""
        return (TensorSpec(self.shape, self.dtype),)

    def weights(self, inputs: Specs) -> tuple[Weight, ...]:
        """Return itself."""
        return (Weight("value", self.shape, self.role, self.dtype),)


@dataclass(frozen=True, slots=True)
class Embedding(NoWork, Elementwise, Op):
    """Rows of a table, one for each index.

    Shape: (...) of whole numbers -> (..., width).
    Weights: rows * width.
    Work: none, rows are copied.
    Source: torch.nn.Embedding.
    """

    rows: int
    width: int
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if self.rows < 1 or self.width < 1:
            raise OpError(f"rows (={self.rows}) and width (={self.width}) must be at least 1")

    @property
    def detail(self) -> str:
        """Return the table's extents."""
        return f"{self.rows} rows"

    def infer(self, inputs: Specs) -> Specs:
        """Return one row per index."""
        if not inputs or "int" not in inputs[0].dtype:
            raise OpError("it needs whole-number indices")
        return (TensorSpec((*inputs[0].shape, self.width), self.dtype),)

    def weights(self, inputs: Specs) -> tuple[Weight, ...]:
        """Return the table."""
        return (Weight("weight", (self.rows, self.width), dtype=self.dtype),)
