"""``cnnstat compare [MODEL ...]``: models side by side, as stages, or layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cnnstat.cli.options import (
    BatchOption,
    FormatOption,
    OutputOption,
    complete_model,
    input_shape,
)
from cnnstat.errors import UsageError

if TYPE_CHECKING:
    from cnnstat.render.document import Document


def complete_measures(incomplete: str) -> list[str]:
    """Return what a comparison can be ordered by that begins so."""
    from cnnstat.count.compare import MEASURES

    return [key for key in ("name", "year", *MEASURES) if key.startswith(incomplete)]


def complete_entry_columns(incomplete: str) -> list[str]:
    """Return the lists of columns of a comparison that continue the one begun."""
    from cnnstat.render.compare import COLUMNS

    done, comma, begun = incomplete.rpartition(",")
    keys = [entry.column.key for entry in COLUMNS]
    return [f"{done}{comma}{key}" for key in keys if key.startswith(begun)]


def compare(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="Names of 'cnnstat list', or files; without any, a line-up in historical order.",
            autocompletion=complete_model,
            show_default=False,
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="MODEL",
            help="Every figure also as a ratio to this model's; MODEL@224 on that input.",
            autocompletion=complete_model,
            show_default=False,
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort",
            metavar="KEY",
            help="Largest of this figure first; or name, year.",
            autocompletion=complete_measures,
            show_default=False,
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            "-c",
            metavar="KEYS",
            help="Columns by key, comma-separated.",
            autocompletion=complete_entry_columns,
            show_default=False,
        ),
    ] = None,
    input: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            "-i",
            metavar="SHAPES",
            help="Inputs without the batch, 224 or 3x224x224; several (128,160,192) are a sweep.",
            show_default=False,
        ),
    ] = None,
    batch: BatchOption = 1,
    stages: Annotated[
        bool, typer.Option("--stages", help="The papers' tables: one row per stage.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Two models layer by layer, what changed marked.")
    ] = False,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Depth, parameters, work, memory and errors of models side by side."""
    from cnnstat import api
    from cnnstat.cli.output import destination, emit
    from cnnstat.render.compare import compare_document

    to = destination(format, output)
    inputs = input_sweep(input)
    given = models or []
    if stages or diff:
        _check_alone(stages=stages, diff=diff, others=(baseline, sort, columns))
        document = _stages(given, inputs, batch) if stages else _diff(given, inputs, batch)
    else:
        compared = api.compare(*given, inputs=inputs, batch=batch, baseline=baseline, sort=sort)
        document = compare_document(compared.comparison, columns=columns, quoted=compared.quoted)
    emit(document, to)


def input_sweep(texts: list[str] | None) -> tuple[tuple[int, ...] | None, ...]:
    """Read ``128,160,192`` and repeated options as shapes; nothing is each model's own input."""
    pieces = [piece.strip() for text in texts or () for piece in text.split(",")]
    return tuple(dict.fromkeys(input_shape(piece) for piece in pieces)) or (None,)


def _check_alone(*, stages: bool, diff: bool, others: tuple[str | None, ...]) -> None:
    if stages and diff:
        raise UsageError("--stages and --diff are two different tables: choose one")
    name = "--stages" if stages else "--diff"
    for option, value in zip(("--baseline", "--sort", "--columns"), others, strict=True):
        if value is not None:
            raise UsageError(f"{option} has no meaning with {name}")


def _one_input(name: str, inputs: tuple[tuple[int, ...] | None, ...]) -> tuple[int, ...] | None:
    if len(inputs) > 1:
        raise UsageError(f"{name} takes one --input, got {len(inputs)}")
    return inputs[0]


def _stages(models: list[str], inputs: tuple[tuple[int, ...] | None, ...], batch: int) -> Document:
    from cnnstat import api
    from cnnstat.count.stages import stage_table
    from cnnstat.render.stages import stages_document

    if not models:
        raise UsageError("--stages needs at least one MODEL, such as resnet18 resnet34-a resnet50")
    shape = _one_input("--stages", inputs)
    found = api.compare(*models, inputs=(shape,), batch=batch)
    return stages_document(stage_table([(entry.name, entry.report) for entry in found.entries]))


def _diff(models: list[str], inputs: tuple[tuple[int, ...] | None, ...], batch: int) -> Document:
    from cnnstat import api
    from cnnstat.count.diff import diff
    from cnnstat.render.diff import diff_document

    if len(models) != 2:
        named = f": {' '.join(models)}" if models else ""
        raise UsageError(f"--diff compares two models, got {len(models)}{named}")
    shape = _one_input("--diff", inputs)
    compared = api.compare(*models, inputs=(shape,), batch=batch, baseline=models[0])
    left, right = compared.entries
    return diff_document(compared.comparison, diff(left.report, right.report))
