"""How a record is computed: a plain ``read``, or an expression of reads (``compute``).

``read`` names one quantity of ``reads``, or several (a tuple): of the model, of the row ``at`` (by
default ``layer``), of several rows (a tuple), or summed over the rows ``under`` a name. ``models``
reads it of several models (a tuple), ``ratio`` divides that of one model by that of another,
``input`` reads it on another input.

In ``compute`` a read is a call: ``params()`` of the model, ``params(model="vgg19")`` of another,
``params("fc6", "fc7")`` the sum over rows, ``params(type="Linear")``, ``params(under="conv1")`` and
``params(ending="/sep")`` over the rows of a type or a name. ``each("hw", type="Conv2d")`` lists
instead of adding up, ``distinct`` and ``count`` are of such a list. Numbers are exact: 1 / 3 is a
fraction; ``rounded(value, 1000)`` is to thousands. All other names are functions of ``arithmetic``.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from cnnstat.ledger.figure import Compute, Computed
from cnnstat.ledger.reads import read_of, read_row, unit_of
from cnnstat.ledger.reports import Extents, Reports

Record = Mapping[str, Any]

OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Computed]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda left, right: Fraction(left) / right,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
    ast.Eq: operator.eq,
    ast.Lt: operator.lt,
}

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "distinct": lambda values: tuple(dict.fromkeys(values)),
    "count": len,
    "rounded": lambda value, unit: (value + unit // 2) // unit * unit,
}


def compute_of(record: Record) -> Compute:
    """Return the function that computes a record."""
    model: str = record["model"]
    if "compute" in record and "read" not in record:
        text = record["compute"]
        return lambda reports: _value(ast.parse(text, mode="eval").body, reports, model)
    read, at = record["read"], record.get("at") or record.get("layer", "")

    def of(reports: Reports, model: str, input: Extents | None = None) -> Computed:
        if "under" in record:
            return int(sum(_rows(reports, model, read, under=record["under"])))
        if isinstance(at, list):
            return tuple([_all(reports, model, input, read, one) for one in at])
        return _all(reports, model, input, read, at)

    if "ratio" in record:
        over, under = record["ratio"]
        return lambda reports: OPERATORS[ast.Div](of(reports, over), of(reports, under))
    if "models" in record:
        return lambda reports: tuple([of(reports, name) for name in record["models"]])
    shape = tuple(record["input"]) if "input" in record else None
    return lambda reports: of(reports, model, shape)


def _all(
    reports: Reports, model: str, input: Extents | None, read: str | list[str], at: str
) -> Computed:
    if isinstance(read, list):
        return tuple([_all(reports, model, input, one, at) for one in read])
    return read_row(reports(model, input), read, at) if at else read_of(reports, model, read, input)


def _value(node: ast.expr, reports: Reports, model: str) -> Any:
    """Return the value of an expression of a record about a model."""

    def value(part: ast.expr) -> Any:
        return _value(part, reports, model)

    match node:
        case ast.Constant():
            return node.value
        case ast.Tuple():
            return tuple([value(part) for part in node.elts])
        case ast.BinOp():
            return OPERATORS[type(node.op)](value(node.left), value(node.right))
        case ast.Compare():
            sides = [value(part) for part in (node.left, *node.comparators)]
            tests = zip(node.ops, sides, sides[1:], strict=False)
            return all(OPERATORS[type(op)](left, right) for op, left, right in tests)
        case ast.IfExp():
            return value(node.body) if value(node.test) else value(node.orelse)
        case ast.Call(func=ast.Name(id=name)):
            arguments = [value(part) for part in node.args]
            of = {each.arg: value(each.value) for each in node.keywords}
            return _called(name, reports, model, arguments, of)
    raise ValueError(f"no part of an expression: {ast.unparse(node)}")


def _called(
    name: str, reports: Reports, model: str, arguments: list[Any], of: dict[Any, Any]
) -> Any:
    if name in FUNCTIONS:
        return FUNCTIONS[name](*arguments)
    if name == "each":
        return tuple(_rows(reports, model, *arguments, **of))
    if unit_of(name) is not None:
        return _read(reports, of.pop("model", model), name, *arguments, **of)
    from cnnstat.ledger import arithmetic

    return getattr(arithmetic, name)(reports, model, *arguments)


def _read(reports: Reports, model: str, read: str, *at: str, **of: str) -> Any:
    """Return a read of a model, of one row, or the sum over several."""
    if of:
        return sum(_rows(reports, model, read, **of))
    if not at:
        return read_of(reports, model, read, None)
    parts: list[Any] = [read_row(reports(model), read, each) for each in at]
    return sum(parts) if len(parts) > 1 else parts[0]


def _rows(
    reports: Reports, model: str, read: str, *, type: str = "", under: str = "", ending: str = ""
) -> list[Any]:
    """Return a read of each row of a type and of names that begin and end so."""
    report = reports(model)
    return [
        read_row(report, read, layer.name)
        for layer in report.layers
        if type in ("", layer.type) and layer.name.startswith(under) and layer.name.endswith(ending)
    ]


def unit_of_record(record: Record) -> str:
    """Return the unit: the record's own, or those of its reads, separated by ``; ``."""
    if "unit" in record or "read" not in record:
        return str(record.get("unit", ""))
    if "ratio" in record:
        return "ratio"
    at = record.get("at") or record.get("layer", "")
    names = record["read"] if isinstance(record["read"], list) else [record["read"]]
    return "; ".join([unit_of(name, at=bool(at)) or "" for name in names])
