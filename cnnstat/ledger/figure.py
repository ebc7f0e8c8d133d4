"""One published figure as data: what was printed where, and how the engine is asked for the same.

An entry never holds a computed number. Its ``compute`` asks for models by name and reads the
answer; ``otherwise`` does the same under other, stated accountings (cached inputs, a row counted
twice). The protocols say what an answer must offer, so that nothing here depends on the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple, Protocol

from cnnstat.ir.graph import Graph, ShapedGraph
from cnnstat.ir.tensor import TensorSpec


class Stored(Protocol):
    """Numbers of parameters."""

    @property
    def weights(self) -> int: ...  # noqa: D102
    @property
    def biases(self) -> int: ...  # noqa: D102
    @property
    def params(self) -> int: ...  # noqa: D102


class Sums(Stored, Protocol):
    """What adds up, of a row or of a model: numbers of parameters, MACs, bytes."""

    @property
    def macs(self) -> int | None: ...  # noqa: D102
    @property
    def activation_bytes(self) -> int: ...  # noqa: D102
    @property
    def cached_activation_bytes(self) -> int: ...  # noqa: D102


class Totals(Sums, Protocol):
    """Sums over a model, and its depth and paths."""

    @property
    def param_bytes(self) -> int: ...  # noqa: D102
    @property
    def depth(self) -> int: ...  # noqa: D102
    @property
    def paths(self) -> int: ...  # noqa: D102


class Counts(Protocol):
    """Work by kind; ``macs`` of it."""

    @property
    def macs(self) -> int: ...  # noqa: D102


class Known(Stored, Protocol):
    """The plain sums alone, without what takes a walk over the graph."""

    @property
    def work(self) -> Counts: ...  # noqa: D102


class Reading(Protocol):
    """A receptive field: input elements along each spatial axis."""

    @property
    def size(self) -> tuple[int, ...]: ...  # noqa: D102


class Row(Sums, Protocol):
    """One layer of a report."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def type(self) -> str: ...  # noqa: D102
    @property
    def inputs(self) -> tuple[TensorSpec, ...]: ...  # noqa: D102
    @property
    def output(self) -> TensorSpec: ...  # noqa: D102
    @property
    def receptive_field(self) -> Reading | None: ...  # noqa: D102


class Subject(Protocol):
    """One analysed model."""

    @property
    def input(self) -> TensorSpec: ...  # noqa: D102
    @property
    def shaped(self) -> ShapedGraph: ...  # noqa: D102
    @property
    def totals(self) -> Totals: ...  # noqa: D102
    @property
    def totals_figures(self) -> Known: ...  # noqa: D102
    @property
    def layers(self) -> Sequence[Row]: ...  # noqa: D102
    def layer(self, name: str) -> Row | None: ...  # noqa: D102


class Ask(Protocol):
    """Answers for a model of the zoo, or for a small graph that a source argues with."""

    def __call__(self, model: str | Graph, *, input: tuple[int, ...] | None = None) -> Subject:
        """Return the analysed model, on its own input or on another one."""


class Printed(NamedTuple):
    """A printed number: its ``digits`` and the ``scale`` that they are printed in (138M: 10**6)."""

    digits: str
    scale: Fraction = Fraction(1)


class Bound(NamedTuple):
    """What a statement says of a number: that it is more (``>``) or less (``<``) than ``limit``."""

    relation: Literal["<", ">"]
    limit: Fraction


Value = Printed | Bound | int | str | bool | tuple["Value", ...]
Computed = int | Fraction | str | bool | tuple["Computed", ...]
Compute = Callable[[Ask], Computed]


class Accounting(NamedTuple):
    """Another way to count the same quantity; ``name`` says which, in front of the result."""

    name: str
    compute: Compute


@dataclass(frozen=True, slots=True)
class Figure:
    """One published figure.

    ``published`` is the text as printed; ``value`` what it says: a printed number, an exact whole
    number, a shape, a bound, a word, or a tuple of these, in the order of ``unit``
    (``; `` between). ``layer`` is the row that it is about, empty for the whole model; ``headline``
    marks what a summary shows.
    """

    id: str
    model: str
    quantity: str
    published: str
    value: Value
    compute: Compute
    source: str
    unit: str = ""
    place: str = ""
    layer: str = ""
    kind: Literal["figure", "statement"] = "figure"
    otherwise: tuple[Accounting, ...] = ()
    explanation: str = ""
    headline: bool = False


def million(digits: str) -> Printed:
    """Return a number printed in millions."""
    return Printed(digits, Fraction(10**6))


def billion(digits: str) -> Printed:
    """Return a number printed in units of 10^9."""
    return Printed(digits, Fraction(10**9))


def thousand(digits: str) -> Printed:
    """Return a number printed in thousands."""
    return Printed(digits, Fraction(1000))


def percent(digits: str) -> Printed:
    """Return a share printed in percent."""
    return Printed(digits, Fraction(1, 100))
