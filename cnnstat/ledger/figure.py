"""One published figure as data: its text as printed, its source, and how to compute the same.

A figure never holds a computed number. Its ``compute`` reads the reports of models by name;
``otherwise`` does the same under other, stated accountings (cached inputs, a row counted twice).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

from cnnstat.ledger.reports import Reports

Computed = int | Fraction | str | bool | tuple["Computed", ...]
Compute = Callable[[Reports], Computed]


@dataclass(frozen=True, slots=True)
class Printed:
    """A printed number: its ``digits`` and the ``scale`` that they are printed in (138M: 10**6)."""

    digits: str
    scale: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Bound:
    """A statement that a number is more (``>``) or less (``<``) than ``limit``."""

    relation: Literal["<", ">"]
    limit: Fraction


Value = Printed | Bound | int | str | bool | tuple["Value", ...]


class Accounting(NamedTuple):
    """Another way to count the same quantity, by name."""

    name: str
    compute: Compute


class Figure(NamedTuple):
    """One published figure.

    ``printed`` is the text of the source and ``value`` its meaning: a printed number, an exact
    whole number, a shape, a bound, a word, or a tuple of these in the order of ``unit`` (separated
    by ``; ``). ``layer`` is the row of the model, empty for the whole model. A summary shows the
    figures with ``headline``. ``models`` are those of a ratio.
    """

    id: str
    model: str
    quantity: str
    printed: str
    value: Value
    unit: str
    compute: Compute
    source: str
    place: str
    layer: str = ""
    kind: Literal["figure", "statement"] = "figure"
    otherwise: tuple[Accounting, ...] = ()
    explanation: str = ""
    headline: bool = False
    models: tuple[str, ...] = ()
