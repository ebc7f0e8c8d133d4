"""What every command hands to every format: columns, raw rows, and text below.

Cells are raw values in the unit that the column's key names; a format decides how they look. None
is an unknown value and prints as ``?`` (never 0). The JSON ``payload`` is the contract that scripts
rely on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Cell = int | float | str | bool | tuple[int, ...] | None

Kind = Literal["text", "count", "scaled", "bytes", "shape", "number", "percent", "ratio", "year"]
"""How a column reads: words; a whole number, thousands separated; bytes, shown in MB of 1000^2;
extents joined by x; a measured number in four significant digits; a share of 1 shown in percent; a
factor shown as ``8.9x``; a year, as it is."""

NEVER_DROPPED = 9


@dataclass(frozen=True, slots=True)
class Column:
    """``key`` is the machine-readable name (unit in it); ``keep`` how late it leaves.

    The column with the smallest ``keep`` leaves first; one with ``NEVER_DROPPED`` stays. ``heat``
    marks a column whose heaviest cells stand out at a glance. ``definition`` is one sentence for
    the legend. With ``group`` the table leaves a cell out that repeats the one above; with ``wrap``
    words that do not fit go on in a further line instead of being cropped. Columns of one ``pair``
    leave together: the two sides of a comparison.
    """

    key: str
    title: str
    kind: Kind = "text"
    keep: int = 5
    heat: bool = False
    definition: str = ""
    group: bool = False
    wrap: bool = False
    pair: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Lines of text below the table, under a heading."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """One table and its text. ``lower_bound``: totals are at least what they say (``>= x``).

    ``rest`` is one row for all the rows that were left out, between the rows and the total.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    payload: Mapping[str, object]
    rest: tuple[Cell, ...] | None = None
    total: tuple[Cell, ...] | None = None
    lower_bound: bool = False
    sections: tuple[Section, ...] = ()
    subtitle: str = ""
