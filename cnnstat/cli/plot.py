"""``cnnstat plot KIND``: pictures with matplotlib, PNG, SVG or PDF by the suffix of ``-o``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from cnnstat.cli.accuracy import AccuracyOption, warn_unused
from cnnstat.cli.command import Group
from cnnstat.cli.memory import AmpOption, CheckpointOption, ModeOption
from cnnstat.cli.options import (
    MODEL,
    OUTPUT,
    REFERENCE,
    TABLE,
    ArgsOption,
    BatchOption,
    DepthOption,
    DtypeOption,
    InputsOption,
    ModelsArgument,
    argument,
    at_least_one,
    factory_arguments,
    input_shapes,
    input_sweep,
    option,
    starting,
)
from cnnstat.cli.roofline import (
    BandwidthOption,
    DeviceOption,
    DevicesOption,
    PeakOption,
    device_of,
    peak_of,
)
from cnnstat.errors import ModelError, UsageError

if TYPE_CHECKING:
    from cnnstat.api import Model
    from cnnstat.count.report import Report

KINDS = {name: f"plot:{name}" for name in ("bubble", "layers", "memory", "roofline", "scaling")}
KINDS["sweep"] = "plot:space"
EXAMPLES = {
    "bubble": ("cnnstat plot bubble -o bubble.svg",),
    "layers": ("cnnstat plot layers vgg16 resnet50 -o layers.svg",),
    "memory": ("cnnstat plot memory resnet50 --mode training -o memory.png",),
    "roofline": (
        "cnnstat plot roofline resnet50 --device h100-sxm --dtype float16 -o roofline.png",
        "cnnstat plot roofline samples/bench/cpu-1-thread.json -o roofline.pdf",
    ),
    "space": ("cnnstat plot sweep samples/sweep/scaled.csv --x macs --colour width -o space.svg",),
    "scaling": ("cnnstat plot scaling resnet50 --input 128,160,192,224 -o scaling.png",),
}


MOST_MODELS = 6
"""Models that fit side by side."""


class Picture(NamedTuple):
    """The format of a picture, and how it looks."""

    format: Any
    look: Any


class Plots(Group):
    """The kinds of plots."""

    table = KINDS
    kind = "plot"


plot = typer.Typer(
    name="plot",
    cls=Plots,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@plot.callback()
def plots() -> None:
    """Plot models and measurements as PNG, SVG or PDF (needs matplotlib)."""


PictureOption = Annotated[
    str,
    option(
        *("--output", "-o"),
        group=OUTPUT,
        metavar="FILE",
        help="Write the picture to this file: .png, .svg or .pdf.",
    ),
]


TitleOption = Annotated[
    str | None,
    option("--title", group=OUTPUT, metavar="TEXT", help="Heading.", default="the models' names"),
]
WidthOption = Annotated[
    str | None,
    option(
        "--width",
        group=OUTPUT,
        metavar="LENGTH",
        help="Width of the picture: 3.5 or 3.5in, 8.9cm, 89mm.",
        default="6.4in, more for several models",
    ),
]
DpiOption = Annotated[
    int | None,
    option("--dpi", group=OUTPUT, metavar="N", help="Dots per inch of a .png.", default="200"),
]
StyleOption = Annotated[
    str,
    option(
        "--style",
        group=OUTPUT,
        metavar="NAME",
        help="screen, or print: serif type, no grid, no heading of its own.",
        complete=starting(lambda: ("screen", "print")),
    ),
]


def bubble(
    output: PictureOption,
    models: Annotated[
        list[str] | None,
        argument("MODEL", f"The models, each {REFERENCE}.", default="the ImageNet line-up"),
    ] = None,
    input: InputsOption = None,
    args: ArgsOption = None,
    accuracy: AccuracyOption = None,
    top5: Annotated[
        bool, option("--top5", group=OUTPUT, help="Plot top-5 accuracy instead of top-1.")
    ] = False,
    title: TitleOption = None,
    width: WidthOption = None,
    dpi: DpiOption = None,
    style: StyleOption = "screen",
) -> None:
    """Plot accuracy over MACs; the area of a circle shows the parameters."""
    picture = _ready(output, title=title, width=width, dpi=dpi, style=style)
    from cnnstat import api
    from cnnstat.api.accuracy import read_accuracy
    from cnnstat.api.models import load_all
    from cnnstat.cli.output import remark
    from cnnstat.render.plots.bubble import Candidate, Rate, bubble_figure, bubbles
    from cnnstat.zoo.lineup import IMAGENET

    rate: Rate = "top5" if top5 else "top1"
    own = None if accuracy is None else read_accuracy(accuracy)
    shape = input_shapes(input)
    candidates = []
    for model in load_all(list(dict.fromkeys(models or IMAGENET)), factory_arguments(args)):
        report = api.analyze(model, input=shape).report
        name = model.card.name if model.card else model.reference
        rates = None if own is None else own.of(model.reference, name)
        candidates.append((model.reference, Candidate(name, report, model.card, rates)))
    if own is not None:
        warn_unused(own, [(reference, each.name) for reference, each in candidates])
    circles, without = bubbles([each for _, each in candidates], rate=rate)
    if circles and without:
        kind = f"{'' if own else 'published '}{'top-5' if top5 else 'top-1'}"
        remark(f"left out, no {kind} error: {', '.join(without)}")
    _write(lambda: bubble_figure(circles, rate=rate), picture, output)


def layers(
    models: ModelsArgument,
    output: PictureOption,
    input: InputsOption = None,
    args: ArgsOption = None,
    batch: BatchOption = 1,
    depth: DepthOption = None,
    title: TitleOption = None,
    width: WidthOption = None,
    dpi: DpiOption = None,
    style: StyleOption = "screen",
) -> None:
    """Plot parameters, activation memory and MACs of every layer."""
    picture = _ready(output, title=title, width=width, dpi=dpi, style=style)
    from cnnstat import api
    from cnnstat.api.models import load_all
    from cnnstat.render.plots.layers import layers_figure

    deepest, shape = at_least_one("depth", depth), input_shapes(input)
    loaded = load_all(_few(models), factory_arguments(args))
    reports = [api.analyze(model, input=shape, batch=batch).report for model in loaded]
    _write(lambda: layers_figure(*reports, depth=deepest), picture, output)


def memory(
    models: ModelsArgument,
    output: PictureOption,
    input: InputsOption = None,
    args: ArgsOption = None,
    batch: BatchOption = 1,
    mode: ModeOption = "inference",
    amp: AmpOption = None,
    checkpoint: CheckpointOption = False,
    title: TitleOption = None,
    width: WidthOption = None,
    dpi: DpiOption = None,
    style: StyleOption = "screen",
) -> None:
    """Plot the live bytes over the layers of an inference pass or a training step."""
    picture = _ready(output, title=title, width=width, dpi=dpi, style=style)
    from cnnstat import api
    from cnnstat.api.models import load_all
    from cnnstat.memory.memory import settings
    from cnnstat.render.plots.memory import memory_figure

    chosen = settings(mode=mode, amp=amp, checkpoint=checkpoint)
    shape = input_shapes(input)
    loaded = load_all(_few(models), factory_arguments(args))
    plans = [api.memory(model, chosen, input=shape, batch=batch) for model in loaded]
    _write(lambda: memory_figure(*plans), picture, output)


def roofline(
    model: Annotated[
        str,
        argument(
            "MODEL|RESULTS",
            "A model, with --device or with --peak and --bandwidth; or a file that 'cnnstat bench "
            "--format json' wrote.",
        ),
    ],
    output: PictureOption,
    input: InputsOption = None,
    args: ArgsOption = None,
    batch: BatchOption = 1,
    dtype: DtypeOption = None,
    device: DeviceOption = None,
    devices: DevicesOption = None,
    peak: PeakOption = None,
    bandwidth: BandwidthOption = None,
    title: TitleOption = None,
    width: WidthOption = None,
    dpi: DpiOption = None,
    style: StyleOption = "screen",
) -> None:
    """Plot the bound of each layer on a device, or measured runs against their roofline."""
    picture = _ready(output, title=title, width=width, dpi=dpi, style=style)
    chosen = device_of(device, devices)
    if chosen is None and peak is None and bandwidth is None:
        from cnnstat.bench.measurement import read_result
        from cnnstat.render.plots.roofline import roofline_figure

        _write(lambda: roofline_figure(read_result(model)), picture, output)
        return
    from cnnstat import api
    from cnnstat.bench.roofline import compute_dtype
    from cnnstat.render.plots.layerbounds import layer_bounds_figure

    loaded = api.load(model, arguments=factory_arguments(args))
    report = api.analyze(loaded, input=input_shapes(input), batch=batch, dtype=dtype).report
    rates = peak_of(report, chosen, peak, bandwidth)
    kind = compute_dtype(report)
    _write(lambda: layer_bounds_figure(report, rates, dtype=kind, device=chosen), picture, output)


def scaling(
    models: ModelsArgument,
    output: PictureOption,
    input: Annotated[
        list[str] | None,
        option(
            *("--input", "-i"),
            group=MODEL,
            metavar="SIZE,...",
            help="Input sizes: 128,160,192 or 128x96,256x192; NAME=SHAPES for each of several "
            "inputs.",
            default="sizes around the model's own",
        ),
    ] = None,
    args: ArgsOption = None,
    batch: BatchOption = 1,
    title: TitleOption = None,
    width: WidthOption = None,
    dpi: DpiOption = None,
    style: StyleOption = "screen",
) -> None:
    """Plot MACs, activation memory and parameters over the input size."""
    picture = _ready(output, title=title, width=width, dpi=dpi, style=style)
    from cnnstat.api.models import load_all
    from cnnstat.render.plots.scaling import scaling_figure

    reports = [
        _own_sizes(model, batch) if input is None else _sizes(model, input, batch)
        for model in load_all(_few(models), factory_arguments(args))
    ]
    _write(lambda: scaling_figure(*reports), picture, output)


def space(
    results: Annotated[
        str, argument("FILE", "A JSON, CSV or Parquet file that a sweep wrote.", complete=None)
    ],
    output: PictureOption,
    x: Annotated[
        str, option("--x", group=TABLE, metavar="KEY", help="Column across; -KEY: more is better.")
    ] = "macs",
    y: Annotated[
        str, option("--y", group=TABLE, metavar="KEY", help="Column upwards; likewise.")
    ] = "params",
    colour: Annotated[
        str | None,
        option(
            *("--colour", "--color"), group=TABLE, metavar="KEY", help="Column that colours a dot."
        ),
    ] = None,
    title: TitleOption = None,
    width: WidthOption = None,
    dpi: DpiOption = None,
    style: StyleOption = "screen",
) -> None:
    """Plot the models of a sweep and the front that none of them dominates."""
    picture = _ready(output, title=title, width=width, dpi=dpi, style=style)
    from cnnstat.render.plots.sweep import sweep_figure

    _write(lambda: sweep_figure(results, x=x, y=y, colour=colour), picture, output)


def _few(models: list[str]) -> list[str]:
    """Return the models, each once. Raises ``UsageError`` for more than a picture has room for."""
    named = list(dict.fromkeys(models))
    if len(named) > MOST_MODELS:
        raise UsageError(f"{len(named)} models: at most {MOST_MODELS} fit side by side")
    return named


def _sizes(loaded: Model, texts: list[str], batch: int) -> list[Report]:
    from cnnstat import api

    return [api.analyze(loaded, input=size, batch=batch).report for size in input_sweep(texts)]


def _own_sizes(loaded: Model, batch: int) -> list[Report]:
    """Return reports around the model's own size; a remark names sizes that it cannot take."""
    from cnnstat import api
    from cnnstat.cli.output import remark
    from cnnstat.render.plots.scaling import default_sizes

    loaded.require_forward()
    shape = next(iter(loaded.inputs.values())).shape
    reports: list[Report] = []
    failed = []
    for size in default_sizes(shape[2:]):
        try:
            reports.append(api.analyze(loaded, input=(*shape[1:2], *size), batch=batch).report)
        except ModelError:
            failed.append("x".join(map(str, size)))
    if failed:
        remark(f"left out, {loaded.reference} cannot take: {', '.join(failed)}")
    return reports


def _ready(
    path: str, *, title: str | None, width: str | None, dpi: int | None, style: str
) -> Picture:
    """Return the format and look of a picture.

    Raises for a bad path, look or library before the work begins.
    """
    from cnnstat.cli.output import check_path
    from cnnstat.render.plots.style import appearance, picture_of, require_matplotlib

    check_path(path)
    suffix = picture_of(path)
    look = appearance(suffix, title=title, width=width, dpi=dpi, style=style)
    require_matplotlib()
    return Picture(suffix, look)


def _write(draw: Callable[[], Any], picture: Picture, path: str) -> None:
    from cnnstat.cli.output import write_file
    from cnnstat.render.plots.style import appearing, save

    with appearing(picture.look):
        content = save(draw(), picture.format)
    write_file(path, content)
