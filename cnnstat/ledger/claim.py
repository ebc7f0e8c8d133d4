"""A claim: a published figure with its computed value, its verdict and the other accountings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from cnnstat.ledger.figure import VERDICTS, Computed, Figure, Verdict, judge
from cnnstat.ledger.reports import Reports
from cnnstat.ledger.sources import citation

Raw = int | float | str | bool | list["Raw"]


class Other(NamedTuple):
    """The figure under another accounting, and how that agrees with the printed one."""

    name: str
    computed: Computed
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Claim:
    """One entry of the ledger, computed now."""

    figure: Figure
    computed: Computed
    verdict: Verdict
    others: tuple[Other, ...] = ()

    @property
    def source(self) -> str:
        """The citation, with the place in it."""
        return citation(self.figure.source, self.figure.place)

    @property
    def explanation(self) -> str:
        """The figure's own words and the result of each other accounting; often empty."""
        counted = [f"{o.name}: {with_unit(o.computed, self.figure.unit)}" for o in self.others]
        return "; ".join([self.figure.explanation, *counted]).removeprefix("; ")


class Published(NamedTuple):
    """A claim as a summary shows it.

    ``computed`` is text, ``computed_with_unit`` the same with its unit, ``value`` as JSON has it.
    """

    quantity: str
    published: str
    computed: str
    value: Raw
    verdict: Verdict
    source: str
    explanation: str
    unit: str
    computed_with_unit: str


class Quoted(NamedTuple):
    """A published ratio between models, with its computed value and verdict."""

    models: tuple[str, ...]
    published: Published


def claim(figure: Figure, reports: Reports) -> Claim:
    """Return one figure with its computed values and its verdict.

    Where it differs, another accounting may reproduce it: exactly or rounded, as another accounting
    and a truncation together would prove nothing.
    """
    computed = figure.compute(reports)
    verdict = judge(figure.value, computed)
    others = []
    for name, compute in figure.otherwise:
        other = compute(reports)
        others.append(Other(name, other, judge(figure.value, other)))
    if verdict == "differs" and any(other.verdict in ("exact", "rounds") for other in others):
        verdict = "reproduced"
    return Claim(figure, computed, verdict, tuple(others))


def shown(claim: Claim) -> Published:
    """Return a claim as a summary shows it."""
    figure = claim.figure
    return Published(
        figure.quantity,
        figure.printed,
        as_text(claim.computed, figure.unit),
        raw(claim.computed),
        claim.verdict,
        claim.source,
        claim.explanation,
        figure.unit,
        with_unit(claim.computed, figure.unit),
    )


def count(claims: Iterable[Claim]) -> dict[str, int]:
    """Return how many claims have each verdict, every verdict named."""
    counts: dict[str, int] = dict.fromkeys(VERDICTS, 0)
    for claim in claims:
        counts[claim.verdict] += 1
    return counts


def raw(computed: Computed) -> Raw:
    """Return a computed value as JSON has it: whole numbers, else floats; tuples as lists."""
    if isinstance(computed, tuple):
        return [raw(part) for part in computed]
    if isinstance(computed, Fraction):
        return computed.numerator if computed.denominator == 1 else float(computed)
    return computed


def as_text(computed: Computed, unit: str = "") -> str:
    """Return a computed value as a table shows it: 1,234, 8.913, yes, parts joined by commas.

    ``unit`` names the parts of a tuple, separated by ``; ``. A tuple in a unit like ``height x
    width`` is a shape: 55x55x96.
    """
    if isinstance(computed, bool):
        return "yes" if computed else "no"
    if isinstance(computed, Fraction):
        return f"{float(computed):.4g}" if computed.denominator != 1 else f"{computed.numerator:,}"
    if isinstance(computed, tuple):
        if " x " in unit and "; " not in unit:
            return "x".join(map(str, computed))
        units = unit.split("; ") if unit.count("; ") + 1 == len(computed) else [""] * len(computed)
        texts = [(as_text(c, u), c, u) for c, u in zip(computed, units, strict=True)]
        nested = [f"({t})" if isinstance(c, tuple) and " x " not in u else t for t, c, u in texts]
        return ", ".join(nested)
    return f"{computed:,}" if isinstance(computed, int) else computed


def with_unit(computed: Computed, unit: str) -> str:
    """Return a computed value with its unit: 15,237,608 values; 28x28x64 (...); 3,136 (weights)."""
    parts = unit.split("; ")
    if isinstance(computed, tuple) and len(parts) == len(computed) > 1:
        pairs = zip(computed, parts, strict=True)
        return "; ".join(f"{as_text(value, part)} ({part})" for value, part in pairs)
    text = as_text(computed, unit)
    if not unit or isinstance(computed, bool | str):
        return text
    if isinstance(computed, tuple):
        return f"{text} ({unit})"
    if unit == "share":
        return f"{100 * float(computed):.4g}%"
    return f"{text} {'times' if unit == 'ratio' else unit}"
