"""The columns of a table that a list of keys names, or the default ones of a table of layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cnnstat.count.report import Report
from cnnstat.errors import UsageError
from cnnstat.render.columns import DEVICE, LAYER_COLUMNS, TRAINING, LayerColumn
from cnnstat.render.document import Cell, column_of

if TYPE_CHECKING:
    from cnnstat.bench.roofline import Peak

DEFAULT: tuple[str, ...] = tuple(entry.key for entry in LAYER_COLUMNS[:9])
"""The columns of the lecture tables."""

IN_TRAINING = (
    *("layer", "operator", "output", "params"),
    *("macs", "input_gradient_macs", "weight_gradient_macs", "training_macs"),
)
"""The default columns with --mode training."""

FORMULA_OF = {
    "params": "params_formula",
    "activation_bytes": "activation_formula",
    "macs": "macs_formula",
}
"""The column that writes out the arithmetic of a figure."""

WITH_FORMULAS = ("layer", "operator", "output", *FORMULA_OF.values())
"""The default columns with --formulas."""


def named_keys(text: str, default: Sequence[str], every: Iterable[str]) -> list[str]:
    """Return the keys that a list names (``a,b``); ``+a,b`` adds to the default, ``all`` is every.

    Raises ``UsageError`` if it names none.
    """
    named = [key.strip().replace("-", "_") for key in text.removeprefix("+").split(",")]
    keys = [key for each in named if each for key in (every if each == "all" else [each])]
    if not keys:
        raise UsageError(f"columns {text!r}: name at least one of {', '.join(every)}")
    return list(dict.fromkeys([*default, *keys] if text.startswith("+") else keys))


def chosen(
    text: str | None,
    convention: str,
    *,
    formulas: bool = False,
    training: bool = False,
    peak: Peak | None = None,
) -> tuple[LayerColumn, ...]:
    """Return the columns that a list of keys names (``a,b``); ``+a,b`` adds to the default.

    After the default ones, a convention other than ``paper`` has its own column, under its name,
    and a device's ``peak`` the bound.
    With ``formulas`` a figure's formula takes the figure's place, whichever columns are chosen. A
    ``training`` report has columns of its own.
    """
    default = WITH_FORMULAS if formulas else IN_TRAINING if training else DEFAULT
    keys = [*default, *(["counted"] if convention != "paper" else [])]
    keys += ["bound_ms"] if peak is not None else []
    if text is not None:
        ready = [entry.key for entry in LAYER_COLUMNS if _is_ready(entry, training, peak)]
        keys = named_keys(text, keys, ready)
    keys = _with_formulas(keys) if formulas else keys
    entries = [column_for(key, training=training, peak=peak) for key in dict.fromkeys(keys)]
    return tuple(
        entry._replace(column=replace(entry.column, title=convention))
        if entry.key == "counted"
        else entry
        for entry in entries
    )


def column_for(key: str, *, training: bool = False, peak: Peak | None = None) -> LayerColumn:
    """Return a column that has all that it needs; raise ``UsageError`` for what is missing."""
    column = column_of(key, [entry.column for entry in LAYER_COLUMNS])
    entry = next(entry for entry in LAYER_COLUMNS if entry.column is column)
    if not _is_ready(entry, training, peak):
        raise UsageError(f"column {entry.key}: add {entry.needs}")
    return entry if entry.key != "bound_ms" or peak is None else _bound_column(entry, peak)


def _bound_column(entry: LayerColumn, peak: Peak) -> LayerColumn:
    """Return the column of the bound of each layer at a device's peak rates."""
    from cnnstat.bench.roofline import node_bounds_ms, row_bound_ms

    known: list[tuple[Report, tuple[float | None, ...]]] = []  # the report at hand, once

    def parts(report: Report) -> tuple[float | None, ...]:
        if not known or known[0][0] is not report:
            known[:] = [(report, node_bounds_ms(report, peak))]
        return known[0][1]

    def total(report: Report) -> Cell:
        return sum(part for part in parts(report) if part is not None)

    return entry._replace(get=lambda layer: row_bound_ms(parts(layer.report), layer), total=total)


def _is_ready(entry: LayerColumn, training: bool, peak: Peak | None) -> bool:
    return {"": True, TRAINING: training, DEVICE: peak is not None}[entry.needs]


def _with_formulas(keys: Sequence[str]) -> list[str]:
    """Return the keys with formulas in place of their figures; all formulas if there is neither."""
    formulas = FORMULA_OF.values()
    if any(key in formulas for key in keys):
        return list(keys)
    if not any(key in FORMULA_OF for key in keys):
        return [*keys, *formulas]
    return [FORMULA_OF.get(key, key) for key in keys]
