"""CSV: the table's columns by key, one line per row, raw values; no total row."""

import csv
import io

from cnnstat.render.document import Cell, Document
from cnnstat.render.formats import Look
from cnnstat.render.numbers import shape_text
from cnnstat.render.safe_text import spreadsheet_text


def render(document: Document, look: Look) -> str:
    """Return keys, rows and their rest; missing is empty, a shape its extents joined by x."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.key for column in document.columns])
    rows = document.rows if document.rest is None else (*document.rows, document.rest)
    writer.writerows([[_cell(cell) for cell in row] for row in rows])
    return out.getvalue()


def _cell(cell: Cell) -> str:
    return spreadsheet_text(cell) if isinstance(cell, str) else raw(cell)


def raw(cell: Cell) -> str:
    """Return a cell without thousands separators or units."""
    if cell is None:
        return ""
    if isinstance(cell, tuple):
        return shape_text(cell)
    if isinstance(cell, bool):
        return str(cell).lower()
    return str(cell)
