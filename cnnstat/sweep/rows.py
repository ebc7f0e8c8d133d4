"""Rows of a result as plain data and as text: a line of JSON, a line of CSV."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from cnnstat.sweep.engine import Evaluate
from cnnstat.sweep.plan import FIXED_COLUMNS, Batch, Plan, Row
from cnnstat.sweep.space import NAMED_INPUT
from cnnstat.sweep.values import spelled

Lines = Callable[[Iterable[Row], Plan], tuple[str, ...]]
"""Writes rows as lines of a format."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First letters with which a spreadsheet reads a text as a formula."""


def row_data(row: Row, plan: Plan) -> dict[str, object]:
    """Return a row with the keys of ``cnnstat.sweep/1``; figures that are unknown are None."""
    space = plan.space
    values = dict(zip([name for name, _ in space.axes], row.values, strict=True))
    data: dict[str, object] = {
        "position": row.position,
        "model": row.model,
        "parameters": {name: values[name] for name in space.parameters},
    }
    if space.sets_classes:
        data["classes"] = values["classes"]
    if space.inputs:
        data["inputs"] = {axis.removeprefix(NAMED_INPUT): values[axis] for axis in space.inputs}
    if row.status == "failed":
        data |= {"input": None, "batch": None, "dtype": None}
    else:
        data |= {"input": list(row.input), "batch": row.batch, "dtype": row.dtype}
    data["status"] = row.status
    data |= zip(plan.figures, row.figures or [None] * len(plan.figures), strict=True)
    if row.error:
        data["error"] = row.error
    return data


def json_lines(rows: Iterable[Row], plan: Plan) -> tuple[str, ...]:
    """Return each row as a line of JSON, without its end."""
    return tuple([json.dumps(row_data(row, plan), allow_nan=False) for row in rows])


def csv_header(plan: Plan) -> list[str]:
    """Return the names of the columns; a figure with the name of a parameter has a prefix."""
    space = plan.space
    names = [f"parameters.{p}" if p in FIXED_COLUMNS else p for p in space.parameters]
    classes = ["classes"] if space.sets_classes else []
    figures = [f"figures.{key}" if key in space.parameters else key for key in plan.figures]
    fixed = ["position", "model", *names, *classes, *space.inputs]
    fixed += ["input", "batch", "dtype", "status"]
    return [*fixed, *figures, "error"]


def csv_lines(rows: Iterable[Row], plan: Plan) -> tuple[str, ...]:
    """Return each row as a line of CSV with its end; figures that are unknown are empty cells."""
    lines: list[str] = []
    writer = csv.writer(SimpleNamespace(write=lines.append), lineterminator="\n")
    width = csv_header(plan).index("input")
    for row in rows:
        cells = flat_cells(row_data(row, plan), plan)
        own = ["null" if cell is None else cell for cell in cells[:width]]
        writer.writerow(map(_text, (*own, *cells[width:])))
    return tuple(lines)


def as_lines(
    evaluate: Evaluate, lines: Lines, plan: Plan, start: int, stop: int, folder: str = ""
) -> Batch:
    """Evaluate points, with lines of text in place of rows: the worker's share of a file."""
    begun = time.perf_counter()
    batch = evaluate(plan, start, stop, folder)
    with _long_numbers():
        written = lines(batch.rows, plan)
    return batch._replace(rows=(), lines=written, seconds=time.perf_counter() - begun)


@contextmanager
def _long_numbers() -> Iterator[None]:
    """Let numbers of any length become text, as exact figures need it."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(limit)


def flat_cells(row: Mapping[str, object], plan: Plan) -> list[object]:
    """Return the cells of a row of plain data under ``csv_header``; what does not apply is None."""
    parameters = row["parameters"]
    values = dict(parameters) if isinstance(parameters, Mapping) else {}
    inputs = row.get("inputs")
    shape = row["input"]
    return [
        row["position"],
        row["model"],
        *[values.get(name) for name in plan.space.parameters],
        *([row["classes"]] if "classes" in row else []),
        *(inputs.values() if isinstance(inputs, Mapping) else []),
        "x".join(map(str, shape)) if isinstance(shape, list | tuple) else None,
        row["batch"],
        row["dtype"],
        row["status"],
        *[row[key] for key in plan.figures],
        row.get("error"),
    ]


def _text(cell: Any) -> int | str | None:
    """Return a cell of a CSV file; what a spreadsheet would read as a formula is quoted."""
    if type(cell) is int or cell is None:
        return cell
    text = spelled(cell)
    if not text.startswith(FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text
