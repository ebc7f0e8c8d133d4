"""``cnnstat explain MODEL [LAYER]``: every figure step by step, and why published ones differ."""

from __future__ import annotations

from typing import Annotated

import typer

from cnnstat.cli.options import (
    BatchOption,
    ClassesOption,
    DtypeOption,
    FormatOption,
    InputOption,
    ModelArgument,
    OutputOption,
    input_shape,
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
    input: InputOption = None,
    batch: BatchOption = 1,
    dtype: DtypeOption = None,
    classes: ClassesOption = None,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Derive every figure of a model or a layer, with the numbers put into the rules."""
    from cnnstat import api
    from cnnstat.cli.output import destination, emit
    from cnnstat.render.explain import explain_document

    to = destination(format, output)
    loaded = api.load(model, classes=classes)
    report = api.analyze(loaded, input=input_shape(input), batch=batch, dtype=dtype)
    card = loaded.card
    claims = api.claims(card.name) if card and api.as_published(report, card) else None
    emit(explain_document(report, layer, card=card, claims=claims), to)
