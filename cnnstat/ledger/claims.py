"""How a published figure and a computed one agree, by arithmetic on the printed digits alone.

``exact``: equal. ``rounds``: the computed figure, rounded to the printed digits, is the printed
one. ``truncates``: cut off after the printed digits it is. ``reproduced``: only under another,
stated accounting. ``differs``: none of these. Of several numbers the weakest verdict counts. A
statement holds (``exact``) or does not (``differs``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

Verdict = Literal["exact", "rounds", "truncates", "reproduced", "differs"]
Raw = int | float | str | bool | list[object]

VERDICTS: tuple[Verdict, ...] = ("exact", "rounds", "truncates", "reproduced", "differs")
"""Every verdict, the strongest first."""

Computed = int | Fraction | str | bool | tuple["Computed", ...]


@runtime_checkable
class Printed(Protocol):
    """A printed number: its digits as text, and the scale that they are printed in."""

    @property
    def digits(self) -> str: ...  # noqa: D102
    @property
    def scale(self) -> Fraction: ...  # noqa: D102


@runtime_checkable
class Bound(Protocol):
    """More (``>``) or less (``<``) than a limit."""

    @property
    def relation(self) -> Literal["<", ">"]: ...  # noqa: D102
    @property
    def limit(self) -> Fraction: ...  # noqa: D102


class Entry(Protocol):
    """What is judged: the printed value, and the words that explain it."""

    @property
    def value(self) -> object: ...  # noqa: D102
    @property
    def unit(self) -> str: ...  # noqa: D102
    @property
    def explanation(self) -> str: ...  # noqa: D102


E = TypeVar("E", bound=Entry)


@dataclass(frozen=True, slots=True)
class Other:
    """The figure under another accounting, and how that agrees with what is printed."""

    name: str
    computed: Computed
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Claim(Generic[E]):
    """One entry of the ledger with its computed value, its verdict and the other accountings."""

    entry: E
    computed: Computed
    verdict: Verdict
    others: tuple[Other, ...] = ()

    @property
    def explanation(self) -> str:
        """The entry's own words and what each other accounting gives; often empty."""
        counted = [f"{o.name}: {as_text(o.computed, self.entry.unit)}" for o in self.others]
        return "; ".join([self.entry.explanation, *counted]).removeprefix("; ")


class Published(NamedTuple):
    """A claim as a summary shows it: ``computed`` as text, ``value`` raw (``raw``)."""

    quantity: str
    published: str
    computed: str
    value: Raw
    verdict: Verdict
    source: str
    explanation: str


class Quoted(NamedTuple):
    """A published ratio between two or more models, with its computed value and verdict."""

    models: tuple[str, ...]
    said: Published


def settle(entry: E, computed: Computed, others: Iterable[tuple[str, Computed]] = ()) -> Claim[E]:
    """Return the claim of an entry; where it differs, another accounting may reproduce it.

    It has to give the figure exactly or rounded: another accounting and a truncation besides would
    be two departures, and prove nothing.
    """
    found = tuple(Other(name, value, judge(entry.value, value)) for name, value in others)
    verdict = judge(entry.value, computed)
    if verdict == "differs" and any(other.verdict in ("exact", "rounds") for other in found):
        verdict = "reproduced"
    return Claim(entry, computed, verdict, found)


class Titled(Entry, Protocol):
    """An entry that a summary can show."""

    @property
    def quantity(self) -> str: ...  # noqa: D102
    @property
    def published(self) -> str: ...  # noqa: D102


T = TypeVar("T", bound=Titled)


def shown(claim: Claim[T], source: str) -> Published:
    """Return a claim as a summary shows it, with the citation of its ``source``."""
    entry = claim.entry
    return Published(
        entry.quantity,
        entry.published,
        as_text(claim.computed, entry.unit),
        raw(claim.computed),
        claim.verdict,
        source,
        claim.explanation,
    )


def judge(published: object, computed: Computed) -> Verdict:
    """Return how a computed value agrees with what is printed; tuples element by element."""
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
    digits = printed.digits.replace(",", "")
    decimals = len(digits.partition(".")[2])
    wanted = Fraction(digits)
    shown = Fraction(computed) / printed.scale
    if shown == wanted:
        return "exact"
    if _rounded(shown, decimals) == wanted:
        return "rounds"
    if _cut(shown, decimals) == wanted:
        return "truncates"
    return "differs"


def _judge_bound(bound: Bound, computed: Computed) -> Verdict:
    if isinstance(computed, bool | str | tuple):
        return "differs"
    holds = computed > bound.limit if bound.relation == ">" else computed < bound.limit
    return "exact" if holds else "differs"


def _rounded(value: Fraction, decimals: int) -> Fraction:
    """Return the nearest number with these decimals, a half away from zero."""
    step = Fraction(10) ** -decimals
    return (abs(value) / step + Fraction(1, 2)).__floor__() * step * (-1 if value < 0 else 1)


def _cut(value: Fraction, decimals: int) -> Fraction:
    step = Fraction(10) ** -decimals
    return (abs(value) / step).__floor__() * step * (-1 if value < 0 else 1)


def count(claims: Iterable[Claim[E]]) -> dict[str, int]:
    """Return how many claims have each verdict, every verdict named."""
    counts: dict[str, int] = dict.fromkeys(VERDICTS, 0)
    for claim in claims:
        counts[claim.verdict] += 1
    return counts


def raw(computed: Computed) -> Raw:
    """Return a computed value as JSON has it: numbers raw, a ratio as a float, tuples as lists."""
    if isinstance(computed, tuple):
        return [raw(part) for part in computed]
    return float(computed) if isinstance(computed, Fraction) else computed


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
