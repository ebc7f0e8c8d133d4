"""Forms of a result in a notebook or a script: HTML, dictionary, CSV, data frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cnnstat.errors import MissingDependencyError

if TYPE_CHECKING:
    from pandas import DataFrame

    from cnnstat.render.document import Cell, Document


CELL_WIDTH = 80
"""Width of a notebook's cell in characters, at 700 pixels."""


class Shown:
    """Mixin for a result that has a document."""

    def document(self) -> Document:
        """Return the table and the text that every format shows."""
        raise TypeError(f"{type(self).__name__} has no document")

    def _repr_html_(self) -> str:
        """Return the table as HTML, for Jupyter: the columns that fit a cell."""
        from cnnstat.render.as_html import fragment
        from cnnstat.render.document import brief_document
        from cnnstat.render.table import fitting

        return fragment(fitting(brief_document(self.document()), CELL_WIDTH))

    def to_dict(self) -> dict[str, Any]:
        """Return the machine-readable form: what ``--format json`` writes."""
        import json

        from cnnstat.render.formats import render

        plain: dict[str, Any] = json.loads(render(self.document(), "json"))
        return plain

    def to_csv(self) -> str:
        """Return the rows as CSV, header first: what ``--format csv`` writes."""
        from cnnstat.render.formats import render

        return render(self.document(), "csv")

    def to_pandas(self) -> DataFrame:
        """Return the rows as a data frame: columns by key, raw values, unknown as missing.

        Shapes are text (``64x224x224``). Raises ``MissingDependencyError`` where pandas is not
        installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingDependencyError("pandas", "pandas") from error
        document = self.document()
        frame = pandas.DataFrame(index=range(len(document.rows)))
        for index, column in enumerate(document.columns):
            cells = [_plain(row[index]) for row in document.rows]
            frame[column.key] = pandas.array(cells, dtype=_dtype(cells))
        return frame


def _plain(cell: Cell) -> int | float | str | bool | None:
    """Return a cell as a data frame holds it: a shape is text."""
    from cnnstat.render.numbers import shape_text

    return shape_text(cell) if isinstance(cell, tuple) else cell


def _dtype(cells: Sequence[object]) -> str:
    """Return the pandas type of a column that may have unknown cells; counts stay exact."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds == {int} and all(abs(c) < 2**63 for c in cells if isinstance(c, int)):
        return "Int64"
    if kinds == {float}:
        return "Float64"
    return "string" if kinds == {str} else "object"
