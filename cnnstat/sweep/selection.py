"""Which rows of a result are shown: the front that nothing dominates, an order, the first ones.

Rows are plain data, as a file of results holds them. Less is better; ``-depth``: more is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from cnnstat.errors import UsageError
from cnnstat.sweep.columns import BY_KEY
from cnnstat.sweep.plan import Plan, figure_of, plain_value, side, side_of
from cnnstat.sweep.space import NAMED_INPUT, Space

RowData = Mapping[str, object]
Cell = int | float | str | bool | None

SLACK = 1_000
"""Rows beyond ``--top`` that are collected before the worst of them are dropped."""


class Ranking(NamedTuple):
    """A column to order by; ``largest``: more is better."""

    name: str
    largest: bool = False


def rankings(text: str | None) -> tuple[Ranking, ...]:
    """Read ``macs,-depth``: less is better, with a minus more."""
    if text is None:
        return ()
    parts = [part.strip() for part in text.split(",")]
    if not all(part.removeprefix("-") for part in parts):
        raise UsageError(f"{text!r}: name columns joined by commas, as in macs,-depth")
    return tuple(
        Ranking(part.removeprefix("-").replace("-", "_"), part.startswith("-")) for part in parts
    )


def getter(name: str, space: Space) -> Callable[[RowData], Cell]:
    """Return what reads the column of a name, which was checked, off a row."""
    key = figure_of(name, space) or name.removeprefix("parameters.")
    if key in space.parameters and name != f"figures.{key}":
        return lambda row: _plain(_entry(row, "parameters", key))
    if key in space.inputs:
        return lambda row: _plain(side_of(_entry(row, "inputs", key.removeprefix(NAMED_INPUT))))
    if key == "input":
        return lambda row: side(tuple(row[key])) if row.get(key) else None  # type: ignore[arg-type]
    return lambda row: _plain(row.get(key))


def _entry(row: RowData, key: str, name: str) -> Any:
    entries = row.get(key)
    return entries.get(name) if isinstance(entries, Mapping) else None


def _plain(value: Any) -> Cell:
    return plain_value(tuple(value) if isinstance(value, list) else value)


@dataclass(frozen=True)
class Choice:
    """The rows to show: the front of ``pareto`` alone, ordered by ``sort``, the first ``top``."""

    pareto: tuple[Ranking, ...] = ()
    sort: tuple[Ranking, ...] = ()
    top: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that it reads."""
        return tuple(dict.fromkeys(each.name for each in (*self.pareto, *self.sort)))

    @property
    def everything(self) -> bool:
        """Whether all rows are shown in the space's order."""
        return not (self.pareto or self.sort) and self.top is None


class Selection:
    """Takes rows one by one and keeps what will be shown of them."""

    def __init__(self, choice: Choice, space: Space) -> None:
        self._choice = choice
        self._rows: list[RowData] = []
        self._front: list[tuple[tuple[float, ...], RowData]] = []
        self._objectives = [(getter(one.name, space), one.largest) for one in choice.pareto]
        self._order = [(getter(one.name, space), one.largest) for one in choice.sort]

    def extend(self, rows: Iterable[RowData]) -> None:
        """Take rows."""
        top = self._choice.top
        for row in rows:
            if self._objectives:
                self._compete(row)
                continue
            self._rows.append(row)
            if top is not None and len(self._rows) > 2 * top + SLACK:
                self._rows = self._sorted(self._rows)[:top]

    def rows(self) -> list[RowData]:
        """Return the rows to show, in order."""
        rows = [row for _, row in self._front] if self._objectives else self._rows
        return self._sorted(rows)[: self._choice.top]

    def _compete(self, row: RowData) -> None:
        costs: list[float] = []
        for read, largest in self._objectives:
            value = read(row)
            if not isinstance(value, int | float):
                return  # unknown or no number: it can neither dominate nor be compared
            costs.append(-value if largest else value)
        mine = tuple(costs)
        if any(_dominates(other, mine) for other, _ in self._front):
            return
        self._front = [each for each in self._front if not _dominates(mine, each[0])]
        self._front.append((mine, row))

    def _sorted(self, rows: list[RowData]) -> list[RowData]:
        """Order rows; unknown cells come last, numbers before words, ties in the space's order."""
        for read, largest in reversed(self._order):
            known = [row for row in rows if read(row) is not None]
            known.sort(key=lambda row: _sort_key(read(row)), reverse=largest)
            rows = known + [row for row in rows if read(row) is None]
        return rows


def _sort_key(cell: Cell) -> tuple[bool, float, str]:
    return (True, 0, cell) if isinstance(cell, str) else (False, cell or 0, "")


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Return whether ``one`` is nowhere worse and somewhere better."""
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def shadowed(plan: Plan, choice: Choice) -> tuple[str, ...]:
    """Return names in the filter and the choice that mean a parameter and not its figure."""
    names = (*(plan.condition.names if plan.condition else ()), *choice.names)
    own = plan.space.parameters
    return tuple(dict.fromkeys(name for name in names if name in own and name in BY_KEY))
