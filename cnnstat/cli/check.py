"""``cnnstat check MODEL... | --all``: every figure against counters that cnnstat did not write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cnnstat.cli.options import (
    ArgsOption,
    BatchOption,
    ClassesOption,
    DtypeOption,
    FormatOption,
    InputsOption,
    OutputOption,
    complete_model,
    factory_arguments,
    input_shapes,
)
from cnnstat.errors import UsageError

if TYPE_CHECKING:
    from cnnstat.api import Model


def check(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL...",
            help="Names of 'cnnstat list', or files.",
            autocompletion=complete_model,
            show_default=False,
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every model of the zoo.")] = False,
    input: InputsOption = None,
    batch: BatchOption = 1,
    dtype: DtypeOption = None,
    classes: ClassesOption = None,
    args: ArgsOption = None,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Hold shapes, parameters and counts against PyTorch's FlopCounterMode and fvcore.

    Exits with 1 where any figure of any operator differs.
    """
    from cnnstat import api
    from cnnstat.cli.output import destination, emit
    from cnnstat.pytorch import require_torch
    from cnnstat.render.check import check_document

    if bool(models) == everything:
        raise UsageError("name the models to check, or --all for every model of the zoo")
    to = destination(format, output)
    shape = input_shapes(input)
    given = factory_arguments(args)
    loaded = [api.load(name, classes=classes, arguments=given) for name in models or _zoo()]
    require_torch()
    checks = tuple(
        api.check(model, input=shape, batch=batch, dtype=dtype) for model in _announced(loaded)
    )
    emit(check_document(checks), to)
    if not all(check.agree for check in checks):
        raise typer.Exit(1)


def _zoo() -> tuple[str, ...]:
    from cnnstat.zoo.catalog import names

    return names()


def _announced(models: Sequence[Model]) -> Iterator[Model]:
    """Yield the models; where somebody watches, say on standard error which one is next."""
    import sys

    shown = len(models) > 1 and sys.stderr.isatty()
    for number, model in enumerate(models, 1):
        if shown:
            place = f"{number}/{len(models)} {model.reference}"
            print(f"\r\033[Kchecking {place}", end="", file=sys.stderr)
        yield model
    if shown:
        print("\r\033[K", end="", file=sys.stderr)
