"""Rows sorted by a column, in every table that takes ``--sort``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from cnnstat.render.document import Cell

Row = TypeVar("Row")


def largest_first(rows: Sequence[Row], get: Callable[[Row], Cell]) -> list[Row]:
    """Return the rows sorted by a cell: largest first, unknown before all; words alphabetically."""
    cells = [(get(row), row) for row in rows]
    if any(isinstance(cell, str) and cell for cell, _ in cells):
        return [row for _, row in sorted(cells, key=lambda pair: str(pair[0]))]
    return [row for _, row in sorted(cells, key=lambda pair: _size(pair[0]), reverse=True)]


def _size(cell: Cell) -> tuple[bool, tuple[float, ...]]:
    if isinstance(cell, tuple):
        return False, cell
    return cell is None, (float(cell),) if isinstance(cell, int | float) else ()
