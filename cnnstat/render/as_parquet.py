"""Parquet: rows of a sweep with typed columns; pyarrow is imported when a file is written or read.

A Parquet file has its index at the end, so it is written in one go from the rows in the end.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from cnnstat.errors import MissingDependencyError, UsageError
from cnnstat.sweep.plan import Plan
from cnnstat.sweep.rows import csv_header, flat_cells
from cnnstat.sweep.values import AxisValue, spelled

GROUP = 20_000
"""Rows that are in memory at a time."""


def require_pyarrow() -> None:
    """Raise ``MissingDependencyError`` where pyarrow is not installed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError("pyarrow", "parquet") from error


def write_parquet(path: str, rows: Iterable[Mapping[str, object]], plan: Plan) -> None:
    """Write rows to a file in one step. Raises ``UsageError`` where that cannot be written."""
    require_pyarrow()
    import pyarrow
    from pyarrow import parquet

    names = csv_header(plan)
    fields = [(name, _type(name, plan)) for name in names]
    described = json.dumps(plan.described()).encode()
    texts = [kind == pyarrow.string() for _, kind in fields]
    schema = pyarrow.schema(fields, metadata={b"cnnstat.sweep/1": described})
    partial = f"{path}.{os.getpid()}.tmp"
    remaining = iter(rows)
    try:
        with parquet.ParquetWriter(partial, schema) as writer:
            while group := list(islice(remaining, GROUP)):
                cells = [_cells(row, plan, texts) for row in group]
                columns = dict(zip(names, map(list, zip(*cells, strict=True)), strict=True))
                writer.write_table(pyarrow.table(columns, schema=schema))
        os.replace(partial, path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
    except (OverflowError, pyarrow.ArrowInvalid) as error:
        raise UsageError(f"cannot write {path}: {error}; write CSV or JSON") from error
    finally:
        if os.path.exists(partial):
            os.unlink(partial)


def read_parquet(path: str) -> Iterator[dict[str, object]]:
    """Yield the rows of a Parquet file that a sweep wrote, columns by name."""
    require_pyarrow()
    import pyarrow
    from pyarrow import parquet

    try:
        for batch in parquet.ParquetFile(path).iter_batches(GROUP):
            yield from batch.to_pylist()
    except (OSError, pyarrow.ArrowInvalid) as error:
        reason = str(error).strip().splitlines() or [""]
        raise UsageError(f"cannot read {path}: {reason[0]}") from error


def _type(name: str, plan: Plan) -> Any:
    import pyarrow

    space = plan.space
    plain = name.removeprefix("parameters.")
    if plain in space.parameters or name in space.inputs:
        return _axis_type(dict(space.axes)[plain])
    if name in ("model", "input", "dtype", "status", "error"):
        return pyarrow.string()
    return pyarrow.int64()


def _axis_type(values: Iterable[AxisValue]) -> Any:
    import pyarrow

    kinds = {int} if isinstance(values, range) else {type(v) for v in values if v is not None}
    if kinds <= {bool}:
        return pyarrow.bool_()
    if kinds <= {int}:
        return pyarrow.int64()
    return pyarrow.float64() if kinds <= {int, float} else pyarrow.string()


def _cells(row: Mapping[str, object], plan: Plan, texts: Sequence[bool]) -> list[object]:
    cells = flat_cells(row, plan)
    for place, text in enumerate(texts):
        value = cells[place]
        if text and value is not None and not isinstance(value, str):
            value = tuple(value) if isinstance(value, list) else value
            cells[place] = spelled(value)  # type: ignore[arg-type]
    return cells
