"""One published figure as data: its text as printed, its source, and how to compute the same.

A figure never holds a computed number. Its ``compute`` reads the reports of models by name;
``otherwise`` does the same under other, stated accountings (cached inputs, a row counted twice).

A verdict says how the printed digits and a computed figure agree. ``exact``: equal. ``rounds``:
rounded to the printed digits, the computed figure is the printed one. ``truncates``: cut off after
the printed digits, it is. ``reproduced``: equal or rounded only under another, stated accounting.
``differs``: none of these. Of several numbers the weakest verdict counts. A statement is true
(``exact``) or not (``differs``).
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
    otherwise: tuple[tuple[str, Compute], ...] = ()
    """Other ways to count the same quantity, by name."""
    explanation: str = ""
    headline: bool = False
    models: tuple[str, ...] = ()


Verdict = Literal["exact", "rounds", "truncates", "reproduced", "differs"]

VERDICTS: tuple[Verdict, ...] = ("exact", "rounds", "truncates", "reproduced", "differs")
"""Every verdict, the strongest first."""


def judge(published: Value, computed: Computed) -> Verdict:
    """Return how a computed value agrees with the printed one; tuples element by element."""
    if isinstance(published, Printed):
        return _judge_number(published, computed)
    if isinstance(published, Bound):
        return _judge_bound(published, computed)
    if isinstance(published, tuple):
        if not isinstance(computed, tuple) or len(published) != len(computed):
            return "differs"
        parts = [judge(p, c) for p, c in zip(published, computed, strict=True)]
        return max(parts, key=VERDICTS.index, default="exact")
    same = published == computed and isinstance(published, bool) == isinstance(computed, bool)
    return "exact" if same else "differs"


def _judge_number(printed: Printed, computed: Computed) -> Verdict:
    if isinstance(computed, bool | str | tuple):
        return "differs"
    decimals = len(printed.digits.partition(".")[2])
    wanted = int(printed.digits.replace(".", ""))
    # the computed figure in units of the last printed digit is above / below
    above = abs(computed.numerator) * 10**decimals * printed.scale.denominator
    below = computed.denominator * printed.scale.numerator
    sign = -1 if computed < 0 else 1
    if sign * above == wanted * below:
        return "exact"
    if sign * ((2 * above + below) // (2 * below)) == wanted:  # a half away from zero
        return "rounds"
    if sign * (above // below) == wanted:
        return "truncates"
    return "differs"


def _judge_bound(bound: Bound, computed: Computed) -> Verdict:
    if isinstance(computed, bool | str | tuple):
        return "differs"
    holds = computed > bound.limit if bound.relation == ">" else computed < bound.limit
    return "exact" if holds else "differs"
