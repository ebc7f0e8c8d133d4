"""The result of a sweep as a document: a row for each model, and what became of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cnnstat.render.document import NEVER_DROPPED, Cell, Column, Document, Kind, Section
from cnnstat.render.numbers import count
from cnnstat.sweep.columns import BY_KEY
from cnnstat.sweep.rowfiles import SCHEMA
from cnnstat.sweep.rows import csv_header, flat_cells
from cnnstat.sweep.values import spelled

if TYPE_CHECKING:
    from cnnstat.sweep.run import Run

SHOWN_ERRORS = 5

Rows = Sequence[Mapping[str, object]]


def sweep_document(run: Run, rows: Rows, format: str) -> Document:
    """Return the document of rows that were chosen from a run.

    CSV has every column, as it has where rows stream into a file.
    """
    plan, counts = run.plan, run.counts
    if format == "csv":
        return _flat(run, rows)
    columns = _columns(run, rows)
    where = f", where {plan.where}" if plan.where else ""
    models = _counted(len(rows), "model")
    return Document(
        title=f"{plan.space.reference}: {models} of {counts.evaluated:,}{where}",
        subtitle=outcome_line(run),
        columns=columns,
        rows=tuple(tuple(_cell(row, column.key, run) for column in columns) for row in rows),
        sections=tuple(_sections(run, rows, columns)),
        payload={
            "schema": SCHEMA,
            "space": plan.described(),
            "evaluated": counts.evaluated,
            "kept": counts.kept,
            "failed": counts.failed,
            "skipped": counts.skipped,
            "models": list(rows),
        },
    )


def _flat(run: Run, rows: Rows) -> Document:
    names = csv_header(run.plan)
    first = len(names) - 1 - len(run.plan.figures)
    cells = []
    for row in rows:
        flat = [_plain(cell) for cell in flat_cells(row, run.plan)]
        head = ["" if cell is None else cell for cell in flat[:first]]
        cells.append((*head, *flat[first:-1], flat[-1] or ""))
    columns = tuple(Column(name, name) for name in names)
    return Document(run.plan.space.reference, columns, tuple(cells), {"schema": SCHEMA})


def _plain(value: object) -> Cell:
    if isinstance(value, list | tuple):
        value = spelled(tuple(value))
    return value if isinstance(value, int | float | str) else None


def outcome_line(run: Run) -> str:
    """Return in one line what became of the points."""
    counts = run.counts
    parts = [f"{_counted(counts.evaluated, 'model')} evaluated, {count(counts.kept)} kept"]
    for number, text, first in (
        (counts.failed, f"{count(counts.failed)} failed", run.first_error),
        (counts.skipped, f"{_counted(counts.skipped, 'invalid combination')} skipped", run.reason),
    ):
        if number:
            parts.append(f"{text} (first: {first})" if first else text)
    return ", ".join(parts)


def _counted(number: int, noun: str) -> str:
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def _columns(run: Run, rows: Rows) -> tuple[Column, ...]:
    plan = run.plan
    columns = [Column("model", "Model", keep=NEVER_DROPPED)]
    for name in (*plan.space.parameters, *plan.space.inputs):
        key = name if name in plan.space.inputs else f"parameters.{name}"
        numbers = all(isinstance(_entry(row, key), int | float) for row in rows)
        kind: Kind = "year" if numbers else "text"  # as it is written, no thousands separated
        columns.append(Column(key, name, kind, keep=4))
    if not plan.space.inputs:
        columns.append(Column("input", "Input", "shape", keep=3))
    for key, title, usual in (("batch", "Batch", 1), ("dtype", "Dtype", "float32")):
        if any(row[key] not in (usual, None) for row in rows):
            columns.append(Column(key, title, "text" if key == "dtype" else "count", keep=5))
    for place, key in enumerate(plan.figures):
        figure = BY_KEY[key]
        kind = "bytes" if figure.kind == "bytes" else "count"
        columns.append(
            Column(key, figure.title, kind, max(5, 8 - place), definition=figure.definition)
        )
    if any(row["status"] != "complete" for row in rows):
        columns.append(Column("status", "Status", keep=8))
    return tuple(columns)


def _entry(row: Mapping[str, object], key: str) -> object:
    """Return a parameter (``parameters.width``) or an input by name (``input.label``) of a row."""
    kind, _, name = key.partition(".")
    entries = row["inputs" if kind == "input" else kind]
    return entries.get(name) if isinstance(entries, Mapping) else None


def _cell(row: Mapping[str, object], key: str, run: Run) -> Cell:
    if "." in key:
        value = _plain(_entry(row, key))
        return "null" if value is None else value
    cell = row[key]
    return tuple(cell) if isinstance(cell, list | tuple) else _plain(cell)


def _sections(run: Run, rows: Rows, columns: Sequence[Column]) -> list[Section]:
    sections = []
    failed = [row for row in rows if row["status"] == "failed"]
    if failed:
        lines = [f"{_named(row)}: {row['error']}" for row in failed[:SHOWN_ERRORS]]
        if len(failed) > SHOWN_ERRORS:
            lines.append(f"and {len(failed) - SHOWN_ERRORS:,} more")
        sections.append(Section("Failed", tuple(lines)))
    if any(row["status"] == "partial" for row in rows):
        note = "partial: an operator has no work rule; MACs and FLOPs are lower bounds"
        sections.append(Section("Notes", (note,)))
    legend = [f"{c.title}: {c.definition}" for c in columns if c.definition]
    return [*sections, Section("Legend", tuple(legend))]


def _named(row: Mapping[str, object]) -> str:
    parameters = row["parameters"]
    if not isinstance(parameters, Mapping) or not parameters:
        return str(row["model"])
    inside = ", ".join(f"{name}={value}" for name, value in parameters.items())
    return f"{row['model']} ({inside})"
