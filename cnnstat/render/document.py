"""The document that every command hands to every format: columns, raw rows, and text below.

Cells are raw values in the unit that the column's key names; a format decides how they look. None
is an unknown value and prints as ``?`` (never 0). The JSON ``payload`` is the contract that scripts
rely on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from cnnstat.errors import unknown

Cell = int | float | str | bool | tuple[int, ...] | None

Kind = Literal["text", "count", "scaled", "bytes", "shape", "number", "percent", "ratio", "year"]
"""How a column is shown: words; a count with thousands separators or an SI prefix; bytes in MB of
1000^2; extents joined by x; a measured number with four significant digits; a share of 1 in
percent; a factor as ``8.9x``; a year."""

NEVER_DROPPED = 9

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Column:
    """``key`` is the machine-readable name, with the unit; ``definition`` goes into the legend.

    In a narrow terminal the column with the smallest ``keep`` is dropped first, one with
    ``NEVER_DROPPED`` never; columns of one ``pair`` are dropped together. ``heat`` highlights the
    largest cells. With ``group`` the table omits a cell that repeats the one above; with ``wrap``
    long text is wrapped instead of cropped; ``distinct`` texts are shortened so that no two read
    alike.
    """

    key: str
    title: str
    kind: Kind = "text"
    keep: int = 5
    definition: str = ""
    heat: bool = False
    group: bool = False
    wrap: bool = False
    pair: str = ""
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """Lines of text below the table, under a heading.

    ``brief`` are shown instead, without a heading, unless ``--verbose`` is set;
    None: the section is shown as it is.
    """

    title: str
    lines: tuple[str, ...]
    brief: tuple[str, ...] | None = None


Payload = dict[str, object]
"""What JSON has of a document."""


@dataclass(frozen=True, slots=True)
class Document:
    """One table and its text; without a title, the table alone.

    ``payload`` may be a function, which is called for JSON alone.

    ``lower_bound``: totals are at least their values (``>= x``).

    ``labels`` are the first cells of a tree's rows as tables and pages show them: indented, without
    the path that other formats have.

    ``rest`` is one row for all rows that were omitted, between the rows and the total.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    payload: Payload | Callable[[], Payload]
    rest: tuple[Cell, ...] | None = None
    total: tuple[Cell, ...] | None = None
    lower_bound: bool = False
    sections: tuple[Section, ...] = ()
    subtitle: str = ""
    labels: tuple[str, ...] = ()


def cells_of(columns: Iterable[Column], row: Mapping[str, Cell]) -> tuple[Cell, ...]:
    """Return the cells of a row by the keys of columns; empty where it has none."""
    return tuple([row.get(column.key, "") for column in columns])


def column_of(key: str, columns: Sequence[Column]) -> Column:
    """Return the column of a key, ``-`` for ``_``; raise ``UsageError`` with the nearest keys."""
    by_key = {column.key: column for column in columns}
    column = by_key.get(key.replace("-", "_"))
    if column is None:
        titles = {each.title: each.key for each in reversed(columns)}  # the first of equal titles
        raise unknown("column", key, by_key, titles=titles)
    return column


def definitions(columns: Iterable[Column]) -> list[str]:
    """Return a sentence for each column that has a definition."""
    return [f"{each.title}: {each.definition}." for each in columns if each.definition]


def largest_first(rows: Iterable[Row], get: Callable[[Row], Cell]) -> list[Row]:
    """Return the rows sorted by a cell: largest first, unknown before all; words alphabetically."""
    cells = [(get(row), row) for row in rows]
    if any(isinstance(cell, str) and cell for cell, _ in cells):
        return [row for _, row in sorted(cells, key=lambda pair: str(pair[0]))]
    return [row for _, row in sorted(cells, key=lambda pair: _size(pair[0]), reverse=True)]


def _size(cell: Cell) -> tuple[bool, tuple[float, ...]]:
    if isinstance(cell, tuple):
        return False, cell
    return cell is None, (float(cell),) if isinstance(cell, int | float) else ()


def payload_of(document: Document) -> Payload:
    """Return what JSON has of a document."""
    return document.payload() if callable(document.payload) else document.payload


def with_columns(document: Document, places: Collection[int]) -> Document:
    """Return a document with the columns at these places, in this order."""

    def picked(row: tuple[Cell, ...]) -> tuple[Cell, ...]:
        return tuple(row[place] for place in places)

    return replace(
        document,
        columns=tuple(document.columns[place] for place in places),
        rows=tuple(map(picked, document.rows)),
        rest=document.rest and picked(document.rest),
        total=document.total and picked(document.total),
    )


def brief_document(document: Document) -> Document:
    """Return a document with the brief lines of its sections, in one section without a heading."""
    lines = tuple(line for each in document.sections for line in each.brief or ())
    whole = tuple(each for each in document.sections if each.brief is None)
    first = (Section("", lines),) if lines else ()
    return replace(document, sections=(*first, *whole))
