"""LaTeX: a ``tabular`` for the package booktabs; title and text are comments.

A missing value is a dash. Nothing in a cell is a command of LaTeX.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cnnstat.render.cells import Grid, grid
from cnnstat.render.document import Cell, Column, Document
from cnnstat.render.formats import Look

MISSING = "--"

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "`": r"\textasciigrave{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
}
"""Characters that LaTeX does not print as they are, or reads as an option after a row's end."""


def render(document: Document, look: Look) -> str:
    """Return title and table; text below the table follows as comments."""
    cells = grid(document)
    blocks = [_comment(line) for line in (document.title, document.subtitle) if line]
    blocks += _table(document, cells)
    for section in document.sections:
        heading = [f"{section.title}:"] if section.title else []
        blocks += map(_comment, (*heading, *section.lines))
    return "\n".join(blocks) + "\n"


def _table(document: Document, cells: Grid) -> list[str]:
    columns = document.columns
    alignment = "".join("l" if column.kind == "text" else "r" for column in columns)
    values = [*document.rows, *([] if document.rest is None else [document.rest])]
    body = [_row(columns, row, texts) for row, texts in zip(values, cells.rows, strict=True)]
    lines = [
        f"\\begin{{tabular}}{{{alignment}}}",
        "\\toprule",
        _line([escape(title) for title in cells.titles]),
        "\\midrule",
        *body,
    ]
    if document.total is not None and cells.total is not None:
        lines += ["\\midrule", _row(columns, document.total, cells.total)]
    return [*lines, "\\bottomrule", "\\end{tabular}"]


def _row(columns: Sequence[Column], values: Sequence[Cell], texts: Sequence[str]) -> str:
    return _line([_cell(*cell) for cell in zip(columns, values, texts, strict=True)])


def _line(cells: Sequence[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _cell(column: Column, value: Cell, text: str) -> str:
    if value is None:
        return MISSING
    if text.startswith(">= "):
        return f"$\\geq$ {escape(text.removeprefix('>= '))}"
    if column.kind == "shape":
        return re.sub(r"(?<=\d)x(?=\d)", r"$\\times$", escape(text))
    return escape(text)


def escape(text: str) -> str:
    """Return text that LaTeX prints as it is, on one line."""
    escaped = "".join(SPECIAL.get(character, character) for character in text)
    return " ".join(escaped.replace("--", "-{}-").split())


def _comment(line: str) -> str:
    return f"% {' '.join(line.split())}"
