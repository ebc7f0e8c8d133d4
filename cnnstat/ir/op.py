"""The questions that every operator answers: shapes, weights, work, reach.

``Op`` gives no default answer. An operator inherits an explicit mixin (``NoWeights``, ``NoWork``,
``Pointwise`` ...) or answers itself. Nothing here knows any operator, any framework or any
convention.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import prod
from typing import ClassVar, Literal, NamedTuple

from cnnstat.ir.reach import Reach
from cnnstat.ir.tensor import TensorSpec
from cnnstat.ir.work import NO_WORK, Work

Specs = tuple[TensorSpec, ...]
Role = Literal["weight", "bias", "buffer"]

Argument = int | float | str | bool | tuple["Argument", ...]
Arguments = tuple[tuple[str, Argument], ...]
"""Arguments of a function by name, as its operator keeps them."""


class Weight(NamedTuple):
    """One stored tensor: multiplicative ``weight``, additive ``bias``, or untrained ``buffer``."""

    name: str
    shape: tuple[int, ...]
    role: Role = "weight"
    dtype: str | None = None
    """None: the dtype of the model; a name where the tensor keeps its own."""

    @property
    def numel(self) -> int:
        """Number of elements."""
        return prod(self.shape)


Storage = Literal["own", "in_place", "view"]
"""Where a result lives: in memory of its own, over its first input (as long as nothing else reads
that), or as another view of its first input's memory."""


class OpError(ValueError):
    """An operator that cannot take its inputs: the rule that is broken.

    Shape inference adds node, operator and shapes.
    """


class Op(ABC):
    """One operator: a frozen dataclass of its hyper-parameters that answers four questions.

    ``storage`` says where the first result lives; ``is_layer`` whether an instance with trained
    weights is a weighted layer of the literature (a convolution, a fully connected layer) and
    counts for depth; ``is_foreign`` one that only its reader knows; ``quiet`` one that a row's
    detail leaves out; ``reads`` the fewest and most inputs that it can be given by hand (None: any
    number); ``counts_complex`` whether its work rule holds for complex numbers, of which its work
    is unknown otherwise.
    """

    __slots__ = ()
    storage: ClassVar[Storage] = "own"
    is_layer: ClassVar[bool] = False
    is_input: ClassVar[bool] = False
    is_foreign: ClassVar[bool] = False
    reads: ClassVar[tuple[int, int | None]] = (1, 1)
    quiet: ClassVar[bool] = False
    counts_complex: ClassVar[bool] = False

    @property
    def type_name(self) -> str:
        """The name in tables: that of the class, PyTorch's where the two mean the same."""
        return type(self).__name__

    @property
    def survival(self) -> float:
        """Probability that the path through the operator is kept in a training step; 1 unless said.

        Operators that only such a path needs do not run when it is dropped.
        """
        return 1.0

    @property
    def caveat(self) -> str:
        """Say what a count stands for that depends on values; nothing unless said."""
        return ""

    @property
    @abstractmethod
    def detail(self) -> str:
        """The hyper-parameters as a table shows them (``3x3/2 pad 1``); empty if there are none."""

    @abstractmethod
    def infer(self, inputs: Specs) -> Specs:
        """Return the specs of the results; raise ``OpError`` or ``WindowError`` with the rule."""

    @abstractmethod
    def weights(self, inputs: Specs) -> tuple[Weight, ...]:
        """Return the stored tensors."""

    @abstractmethod
    def work(self, inputs: Specs, outputs: Specs) -> Work | None:
        """Return the work of one forward pass in inference form, or None where no rule is known."""

    @abstractmethod
    def reach(self, inputs: Specs) -> Reach:
        """Return how far one element of the first result reads back into the inputs."""

    def reach_of_result(self, inputs: Specs, number: int) -> Reach:
        """Return the same of another result; the first one's, unless the operator says more."""
        return self.reach(inputs)


class NoWeights:
    """Mixin: the operator stores nothing."""

    __slots__ = ()

    def weights(self, inputs: Specs) -> tuple[Weight, ...]:
        """Return no tensors."""
        return ()


class NoWork:
    """Mixin: the operator is known to be free."""

    __slots__ = ()

    def work(self, inputs: Specs, outputs: Specs) -> Work | None:
        """Return no work."""
        return NO_WORK


class NoDetail:
    """Mixin: the operator has no hyper-parameter worth a word."""

    __slots__ = ()

    @property
    def detail(self) -> str:
        """Return nothing."""
        return ""


class SameShape:
    """Mixin: the only result has the shape and dtype of the first input."""

    __slots__ = ()

    def infer(self, inputs: Specs) -> Specs:
        """Return the first input's spec."""
        return inputs[:1]


class Elementwise:
    """Mixin: an output element reads the inputs at its own position."""

    __slots__ = ()

    def reach(self, inputs: Specs) -> Reach:
        """Return ``elementwise``."""
        return "elementwise"
