"""``cnnstat explain MODEL [LAYER]``: every figure step by step, and why published ones differ."""

from __future__ import annotations

from typing import Annotated

import typer

from cnnstat.cli.options import (
    ArgsOption,
    BatchOption,
    ClassesOption,
    DtypeOption,
    FormatOption,
    InputsOption,
    ModelArgument,
    OutputOption,
    factory_arguments,
    input_shapes,
)


def explain(
    model: ModelArgument,
    layer: Annotated[
        str | None,
        typer.Argument(
            metavar="[LAYER]",
            help="A layer or module of 'cnnstat summary'; without one, the model.",
            show_default=False,
        ),
    ] = None,
    input: InputsOption = None,
    batch: BatchOption = 1,
    dtype: DtypeOption = None,
    classes: ClassesOption = None,
    args: ArgsOption = None,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Derive every figure of a model or a layer, with the numbers put into the rules."""
    from cnnstat import api
    from cnnstat.cli.output import destination, emit
    from cnnstat.render.explain import explain_document

    to = destination(format, output)
    loaded = api.load(model, classes=classes, arguments=factory_arguments(args))
    report = api.analyze(loaded, input=input_shapes(input), batch=batch, dtype=dtype).report
    card = loaded.card
    claims = api.claims(card.name) if card and api.as_published(report, card) else None
    emit(explain_document(report, layer, card=card, claims=claims), to)
