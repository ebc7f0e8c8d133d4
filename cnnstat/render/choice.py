"""The columns of a table of layers that a list of keys names, or the default ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cnnstat.count.report import Report
from cnnstat.errors import UsageError, unknown
from cnnstat.render.columns import DEVICE, LAYER_COLUMNS, TRAINING, LayerColumn

if TYPE_CHECKING:
    from cnnstat.bench.roofline import Peak

DEFAULT: tuple[str, ...] = tuple(entry.key for entry in LAYER_COLUMNS[:9])
"""The columns of the lecture tables."""

WITH_FORMULAS = (
    "layer",
    "operator",
    "output",
    "params_formula",
    "activation_formula",
    "macs_formula",
)
"""The default columns with --formulas."""

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

_BY_KEY = {entry.key: entry for entry in LAYER_COLUMNS}


def layer_column(key: str) -> LayerColumn:
    """Return the column of this key; raise ``UsageError`` with the nearest keys if none has it."""
    entry = _BY_KEY.get(key)
    if entry is None:
        titles = {entry.column.title: key for key, entry in reversed(_BY_KEY.items())}  # the first
        raise unknown("column", key, _BY_KEY, titles=titles)
    return entry


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
        named = [key.strip().replace("-", "_") for key in text.removeprefix("+").split(",")]
        if not any(named):
            raise UsageError(f"columns {text!r}: name at least one of {', '.join(_BY_KEY)}")
        if named == ["all"]:
            named = [key for key, entry in _BY_KEY.items() if _is_ready(entry, training, peak)]
        else:
            named = [key for key in named if key]
        keys = [*keys, *named] if text.startswith("+") else named
    keys = _with_formulas(keys) if formulas else keys
    entries = [column_for(key, training=training, peak=peak) for key in keys]
    return tuple(_named(entry, convention) for entry in dict.fromkeys(entries))


def column_for(key: str, *, training: bool = False, peak: Peak | None = None) -> LayerColumn:
    """Return a column that has all that it needs; raise ``UsageError`` for what is missing."""
    entry = layer_column(key.replace("-", "_"))
    if not _is_ready(entry, training, peak):
        raise UsageError(f"column {entry.key}: add {entry.needs}")
    if entry.key != "bound_ms" or peak is None:
        return entry
    return bound_column(entry, peak)


def bound_column(entry: LayerColumn, peak: Peak) -> LayerColumn:
    """Return the column of the bound of each layer at a device's peak rates."""
    from cnnstat.bench.roofline import node_bounds_ms, row_bound_ms

    known: list[tuple[Report, tuple[float | None, ...]]] = []  # the report at hand, once

    def parts(report: Report) -> tuple[float | None, ...]:
        if not known or known[0][0] is not report:
            known[:] = [(report, node_bounds_ms(report, peak))]
        return known[0][1]

    return entry._replace(
        column=replace(entry.column, keep=8),  # it was asked for
        get=lambda layer: row_bound_ms(parts(layer.report), layer),
        total=lambda report: sum(part for part in parts(report) if part is not None),
    )


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


def _named(entry: LayerColumn, convention: str) -> LayerColumn:
    if entry.key != "counted":
        return entry
    from dataclasses import replace

    return entry._replace(column=replace(entry.column, title=convention))
