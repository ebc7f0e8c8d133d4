"""``cnnstat plot KIND``: pictures with matplotlib, PNG, SVG or PDF by the suffix of ``-o``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from cnnstat.cli.coercion import PlainCommand, read_plainly
from cnnstat.cli.memory import AmpOption, CheckpointOption, ModeOption
from cnnstat.cli.options import (
    ArgsOption,
    BatchOption,
    InputsOption,
    ModelArgument,
    at_least_one,
    complete_model,
    factory_arguments,
    input_shape,
    input_shapes,
)
from cnnstat.errors import ModelError, unknown

if TYPE_CHECKING:
    from cnnstat.count.report import Report

KINDS = ("bubble", "layers", "memory", "roofline", "scaling")


class Plots(TyperGroup):
    """The kinds of plots; an unknown one gets the nearest."""

    def get_params(self, ctx: Any) -> Any:
        """Return the options."""
        return read_plainly(super().get_params(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the kind that the arguments begin with, or raise with the nearest names."""
        if args and not args[0].startswith("-") and args[0] not in KINDS:
            raise unknown("plot", args[0], KINDS)
        return super().resolve_command(ctx, args)


plot = typer.Typer(
    name="plot",
    cls=Plots,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Plot models and measurements: PNG, SVG or PDF.",
)

PictureOption = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="The picture: .png, .svg or .pdf.",
        show_default=False,
    ),
]


@plot.command(cls=PlainCommand)
def bubble(
    output: PictureOption,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="Names of 'cnnstat list'; the ImageNet line-up without any.",
            autocompletion=complete_model,
            show_default=False,
        ),
    ] = None,
    top5: Annotated[bool, typer.Option("--top5", help="Top-5 accuracy instead of top-1.")] = False,
) -> None:
    """Accuracy over operations, the circle's area the parameters."""
    picture = _ready(output)
    from cnnstat import api
    from cnnstat.render.plots.bubble import Rate, bubble_figure, bubbles
    from cnnstat.zoo.lineup import IMAGENET

    rate: Rate = "top5" if top5 else "top1"
    loaded = [api.load(name) for name in dict.fromkeys(models or IMAGENET)]
    found, without = bubbles(
        [(api.analyze(model).report, model.card) for model in loaded], rate=rate
    )
    figure = bubble_figure(found, rate=rate)
    if without:
        typer.echo(
            f"cnnstat: left out, no published {'top-5' if top5 else 'top-1'} error: "
            f"{', '.join(without)}",
            err=True,
        )
    _write(figure, picture, output)


@plot.command(cls=PlainCommand)
def layers(
    model: ModelArgument,
    output: PictureOption,
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth", "-d", metavar="N", help="Fold modules below this level.", show_default=False
        ),
    ] = None,
    input: InputsOption = None,
    args: ArgsOption = None,
    batch: BatchOption = 1,
) -> None:
    """Parameters, activation memory and MACs of every layer."""
    picture = _ready(output)
    from cnnstat import api
    from cnnstat.render.plots.layers import layers_figure

    loaded = api.load(model, arguments=factory_arguments(args))
    report = api.analyze(loaded, input=input_shapes(input), batch=batch).report
    _write(layers_figure(report, depth=at_least_one("depth", depth)), picture, output)


@plot.command(cls=PlainCommand)
def memory(
    model: ModelArgument,
    output: PictureOption,
    input: InputsOption = None,
    args: ArgsOption = None,
    batch: BatchOption = 1,
    mode: ModeOption = "inference",
    amp: AmpOption = None,
    checkpoint: CheckpointOption = False,
) -> None:
    """Live bytes over the layers of an inference pass or a training step."""
    picture = _ready(output)
    from cnnstat import api
    from cnnstat.memory.memory import settings
    from cnnstat.render.plots.memory import memory_figure

    chosen = settings(mode=mode, amp=amp, checkpoint=checkpoint)
    loaded = api.load(model, arguments=factory_arguments(args))
    plan = api.memory(loaded, chosen, input=input_shapes(input), batch=batch)
    _write(memory_figure(plan), picture, output)


@plot.command(cls=PlainCommand)
def roofline(
    results: Annotated[
        str,
        typer.Argument(
            metavar="RESULTS",
            help="A file that 'cnnstat bench --format json' wrote.",
            show_default=False,
        ),
    ],
    output: PictureOption,
) -> None:
    """Measured runs under the device's measured bound."""
    picture = _ready(output)
    from cnnstat.bench.measurement import read_result
    from cnnstat.render.plots.roofline import roofline_figure

    _write(roofline_figure(read_result(results)), picture, output)


@plot.command(cls=PlainCommand)
def scaling(
    model: ModelArgument,
    output: PictureOption,
    input: Annotated[
        str | None,
        typer.Option(
            "--input",
            "-i",
            metavar="SIZE,...",
            help="Input sizes: 128,160,192 or 128x96,256x192; around the model's own without it.",
            show_default=False,
        ),
    ] = None,
    batch: BatchOption = 1,
) -> None:
    """MACs, activation memory and parameters over the input size."""
    picture = _ready(output)
    from cnnstat.render.plots.scaling import scaling_figure

    reports = _own_sizes(model, batch) if input is None else _sizes(model, input, batch)
    _write(scaling_figure(reports), picture, output)


def _sizes(model: str, text: str, batch: int) -> list[Report]:
    from cnnstat import api

    loaded = api.load(model)
    sizes = dict.fromkeys(input_shape(part.strip()) for part in text.split(","))
    return [api.analyze(loaded, input=size, batch=batch).report for size in sizes]


def _own_sizes(model: str, batch: int) -> list[Report]:
    """Return reports around the model's own size; sizes that it cannot take are said."""
    from cnnstat import api
    from cnnstat.render.plots.scaling import default_sizes

    loaded = api.load(model)
    shape = next(iter(loaded.inputs.values())).shape
    found: list[Report] = []
    failed = []
    for size in default_sizes(shape[2:]):
        try:
            found.append(api.analyze(loaded, input=(*shape[1:2], *size), batch=batch).report)
        except ModelError:
            failed.append("x".join(map(str, size)))
    if failed:
        typer.echo(f"cnnstat: left out, {model} cannot take: {', '.join(failed)}", err=True)
    return found


def _ready(path: str) -> Any:
    """Return the format of a picture; whatever is wrong about it is said before the work begins."""
    from cnnstat.cli.output import check_path
    from cnnstat.render.plots.style import picture_of, require_matplotlib

    check_path(path)
    picture = picture_of(path)
    require_matplotlib()
    return picture


def _write(figure: Any, picture: Any, path: str) -> None:
    from cnnstat.cli.output import write_file
    from cnnstat.render.plots.style import save

    write_file(path, save(figure, picture))
