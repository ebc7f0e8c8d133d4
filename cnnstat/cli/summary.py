"""``cnnstat summary MODEL``: every layer, the totals with definitions, the published figures."""

from __future__ import annotations

from typing import Annotated

import typer

from cnnstat.cli.options import (
    ArgsOption,
    BatchOption,
    ClassesOption,
    ConventionOption,
    DtypeOption,
    FormatOption,
    InputsOption,
    ModelArgument,
    OutputOption,
    StrictOption,
    at_least_one,
    complete_columns,
    factory_arguments,
    input_shapes,
)


def summary(
    model: ModelArgument,
    input: InputsOption = None,
    batch: BatchOption = 1,
    dtype: DtypeOption = None,
    classes: ClassesOption = None,
    args: ArgsOption = None,
    convention: ConventionOption = "paper",
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            "-c",
            metavar="KEYS",
            help="Columns by key, comma-separated; +KEYS adds to the default, all is every one.",
            autocompletion=complete_columns,
            show_default=False,
        ),
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth", "-d", metavar="N", help="Fold modules below this level.", show_default=False
        ),
    ] = None,
    expand: Annotated[
        bool, typer.Option("--expand", help="A row for every operator instead of every layer.")
    ] = False,
    formulas: Annotated[
        bool, typer.Option("--formulas", help="Write the arithmetic out: (3*3*3)*64 = 1,728.")
    ] = False,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort", metavar="KEY", help="Largest of this column first.", show_default=False
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            "--top", metavar="N", help="Only the first N rows, the rest as one.", show_default=False
        ),
    ] = None,
    format: FormatOption = None,
    output: OutputOption = None,
    strict: StrictOption = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Add what FlopCounterMode and fvcore count; needs torch."),
    ] = False,
) -> None:
    """Parameters, memory and operations of every layer of a model."""
    from cnnstat import api
    from cnnstat.cli.output import destination, emit
    from cnnstat.render.summary import View, summary_document

    to = destination(format, output)
    view = View(
        columns, at_least_one("depth", depth), expand, formulas, sort, at_least_one("top", top)
    )
    loaded = api.load(model, classes=classes, arguments=factory_arguments(args))
    analysis = api.analyze(
        loaded, input=input_shapes(input), batch=batch, dtype=dtype, convention=convention
    )
    report = analysis.report
    checked = api.check_report(loaded, report) if check else None
    document = summary_document(
        report,
        reference=model,
        card=loaded.card,
        published=analysis.published,
        checked=checked,
        view=view,
    )
    emit(document, to)
    if checked is not None and not checked.agree:
        raise typer.Exit(1)
    if strict and report.status == "partial":
        typer.echo("cnnstat: strict: not every operator could be counted", err=True)
        raise typer.Exit(1)
