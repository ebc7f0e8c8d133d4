"""``cnnstat explain MODEL [LAYER]``: every figure step by step, and why published ones differ."""

from __future__ import annotations

from typing import Annotated

from cnnstat.cli.options import (
    ArgsOption,
    BareOption,
    BatchOption,
    ClassesOption,
    DtypeOption,
    FormatOption,
    InputsOption,
    ModelArgument,
    OutputOption,
    argument,
    factory_arguments,
    input_shapes,
)

EXAMPLES = ("cnnstat explain vgg16 conv4_2", "cnnstat explain resnet50")


def explain(
    model: ModelArgument,
    layer: Annotated[
        str | None,
        argument(
            "LAYER",
            "A layer or module of 'cnnstat summary'.",
            default="the whole model",
            complete=None,
        ),
    ] = None,
    input: InputsOption = None,
    batch: BatchOption = 1,
    dtype: DtypeOption = None,
    classes: ClassesOption = None,
    args: ArgsOption = None,
    format: FormatOption = None,
    bare: BareOption = False,
    output: OutputOption = None,
) -> None:
    """Show how each figure of a model or a layer is computed."""
    from cnnstat import api
    from cnnstat.cli.output import destination, emit
    from cnnstat.render.explain import explain_document

    to = destination(format, output, bare=bare)
    loaded = api.load(model, classes=classes, arguments=factory_arguments(args))
    report = api.analyze(loaded, input=input_shapes(input), batch=batch, dtype=dtype).report
    card = loaded.card
    claims = api.claims(card.name) if card and api.as_published(report, card) else None
    emit(explain_document(report, layer, card=card, claims=claims), to)
