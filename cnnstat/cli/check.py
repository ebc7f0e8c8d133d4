"""``cnnstat check MODEL... | --all``: every figure against counters that cnnstat did not write."""

from __future__ import annotations

from typing import Annotated

import typer

from cnnstat.cli.options import (
    MODEL,
    REFERENCE,
    ArgsOption,
    BareOption,
    BatchOption,
    CallOption,
    ClassesOption,
    DtypeOption,
    FormatOption,
    InputsOption,
    MethodOption,
    OutputOption,
    argument,
    call_of,
    factory_arguments,
    input_shapes,
    option,
)
from cnnstat.errors import UsageError

EXAMPLES = ("cnnstat check lenet5 resnet18", "cnnstat check samples/small_net.py:SmallNet -i 32")


def check(
    models: Annotated[list[str] | None, argument("MODEL", f"The models, each {REFERENCE}.")] = None,
    everything: Annotated[
        bool, option("--all", group=MODEL, help="Check every model of the zoo.")
    ] = False,
    input: InputsOption = None,
    batch: BatchOption = 1,
    dtype: DtypeOption = None,
    classes: ClassesOption = None,
    args: ArgsOption = None,
    call: CallOption = None,
    method: MethodOption = None,
    format: FormatOption = None,
    bare: BareOption = False,
    output: OutputOption = None,
) -> None:
    """Compare shapes, parameters and counts with PyTorch's FlopCounterMode and fvcore.

    Exits with 1 if any figure of any operator differs.
    """
    from cnnstat import api
    from cnnstat.cli.output import destination, emit
    from cnnstat.cli.progress import progress
    from cnnstat.pytorch import require_torch
    from cnnstat.render.check import check_document

    if bool(models) == everything:
        raise UsageError("name the models to check, or --all for every model of the zoo")
    to = destination(format, output, bare=bare)
    shape = input_shapes(input)
    arguments = factory_arguments(args)
    calling = call_of(call, method)
    loaded = [
        api.load(name, classes=classes, arguments=arguments, **calling) for name in models or _zoo()
    ]
    require_torch()
    checks = []
    for place, model in enumerate(loaded):
        progress.step(place, len(loaded), model.reference)
        checks.append(api.check(model, input=shape, batch=batch, dtype=dtype))
    emit(check_document(tuple(checks)), to)
    if not all(check.agree for check in checks):
        raise typer.Exit(1)


def _zoo() -> tuple[str, ...]:
    from cnnstat.zoo.catalog import names

    return names()
