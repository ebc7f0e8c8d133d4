"""How a record is computed: a plain ``read``, or a function of ``arithmetic`` (``compute``).

``read`` names one quantity of ``reads``, or several (a tuple): of the model, of the row ``at`` (by
default ``layer``), of several rows (a tuple), or summed over the rows ``under`` a name. ``models``
reads it of several models (a tuple), ``ratio`` divides that of one model by that of another,
``input`` reads it on another input. ``compute = "vgg.early_share"`` calls that function of
``arithmetic`` with the reports and ``args``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from importlib import import_module
from typing import Any

from cnnstat.count.report import Report
from cnnstat.ledger.figure import Compute, Computed
from cnnstat.ledger.reads import GRAPH, OUTLINED, read_model, read_module, read_row, unit_of
from cnnstat.ledger.reports import Extents, Reports

Record = Mapping[str, Any]
Reader = Callable[[Reports, str, Extents | None], Computed]


def compute_of(record: Record) -> Compute:
    """Return the function that computes a record."""
    if "compute" in record and "read" not in record:
        return _arithmetic(record["compute"], record.get("args", ()))
    read = _reader(record)
    model = record["model"]
    if "ratio" in record:
        return _ratio(read, *record["ratio"])
    if "models" in record:
        models = record["models"]
        return lambda reports: tuple([read(reports, name, None) for name in models])
    shape = tuple(record["input"]) if "input" in record else None
    return lambda reports: read(reports, model, shape)


def _arithmetic(path: str, args: tuple[Any, ...]) -> Compute:
    module, _, name = path.partition(".")

    def compute(reports: Reports) -> Computed:
        function = getattr(import_module(f"cnnstat.ledger.arithmetic.{module}"), name)
        computed: Computed = function(reports, *args)
        return computed

    return compute


def _ratio(read: Reader, over: str, under: str) -> Compute:
    def compute(reports: Reports) -> Computed:
        above, below = read(reports, over, None), read(reports, under, None)
        if not isinstance(above, int | Fraction) or not isinstance(below, int | Fraction):
            raise TypeError("a ratio is of two numbers")
        return Fraction(above) / Fraction(below)

    return compute


def _reader(record: Record) -> Reader:
    """Return what reads a record of a model, on an input or on the model's own."""
    read, at = record["read"], record.get("at") or record.get("layer", "")
    if "under" in record:
        under = record["under"]
        return lambda reports, model, shape: read_module(reports(model, shape), read, under)
    if isinstance(at, list):
        return lambda reports, model, shape: tuple(
            [_all(reports(model, shape), read, one) for one in at]
        )
    if not at and isinstance(read, str) and read in OUTLINED:
        return lambda reports, model, shape: int(getattr(reports.outline(model, shape), read))
    if not at and isinstance(read, str) and read in GRAPH:
        return lambda reports, model, shape: GRAPH[read][1](reports.shaped(model, shape))
    return lambda reports, model, shape: _all(reports(model, shape), read, at)


def _all(report: Report, read: str | list[str], at: str) -> Computed:
    if isinstance(read, list):
        return tuple([_all(report, one, at) for one in read])
    return read_row(report, read, at) if at else read_model(report, read)


def models_of(record: Record) -> tuple[str, ...]:
    """Return the models that a ratio compares; none where the record is not a ratio."""
    return tuple(record.get("ratio", ()))


def unit_of_record(record: Record) -> str:
    """Return the unit: the record's own, or those of its reads, separated by ``; ``."""
    if "unit" in record or "read" not in record:
        return str(record.get("unit", ""))
    read, at = record["read"], record.get("at") or record.get("layer", "")
    if "ratio" in record:
        return "ratio"
    first = at[0] if isinstance(at, list) else at
    names = read if isinstance(read, list) else [read]
    return "; ".join([unit_of(name, first) for name in names])
