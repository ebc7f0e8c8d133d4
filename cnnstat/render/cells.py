"""A document's cells as text, for the formats that people read (table, Markdown, HTML).

Bytes have one unit per column, named in its title; a total is ``>= x`` where the
document is a lower bound and a row of its column is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass

from cnnstat.render.document import Cell, Column, Document
from cnnstat.render.numbers import cell_text, column_unit

MARKS = "▁▂▃▄▅▆▇█"
ASCII_MARKS = ".:-=+*#@"
"""Bars of a heavy cell, lightest first: eighths of the column's heaviest cell."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Text of every cell.

    ``rows`` ends with the document's rest, if it has one. ``levels`` runs parallel to them: 0, or
    the eighths (1 to 8) of the column's heaviest cell where the column has heat.
    """

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...] | None
    levels: tuple[tuple[int, ...], ...]


def grid(document: Document, *, labelled: bool = False) -> Grid:
    """Return the text of a document's titles, rows and total.

    ``labelled``: the rows of a tree begin with their labels.
    """
    titles, texts, totals, levels = [], [], [], []
    for index, column in enumerate(document.columns):
        own = [row[index] for row in document.rows]
        rest = [] if document.rest is None else [document.rest[index]]
        cells = [*own, *rest]
        total = document.total[index] if document.total else ""
        name, unit = column_unit([*cells, total]) if column.kind == "bytes" else ("", 1)
        titles.append(f"{column.title} {name}".rstrip())
        shown = [cell_text(cell, column.kind, unit) for cell in cells]
        if labelled and index == 0 and document.labels:
            shown[: len(document.labels)] = document.labels
        texts.append(shown)
        at_least = document.lower_bound and None in cells and total not in ("", None)
        totals.append(f"{'>= ' if at_least else ''}{cell_text(total, column.kind, unit)}")
        levels.append([*_levels(column, own), *(0 for _ in rest)])
    return Grid(
        tuple(titles),
        tuple(zip(*texts, strict=True)),
        tuple(totals) if document.total else None,
        tuple(zip(*levels, strict=True)),
    )


def _levels(column: Column, cells: list[Cell]) -> list[int]:
    """Eighths of the heaviest cell, rounded: a row below a sixteenth has no mark."""
    known = [cell for cell in cells if isinstance(cell, int | float)] if column.heat else []
    most = max(known, default=0)
    if most <= 0:
        return [0] * len(cells)
    return [
        int((cell * 16 + most) // (2 * most)) if isinstance(cell, int | float) else 0
        for cell in cells
    ]
