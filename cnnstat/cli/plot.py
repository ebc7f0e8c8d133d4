"""``cnnstat plot KIND``: pictures with matplotlib, PNG, SVG or PDF by the suffix of ``-o``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnstat.cli.command import Group
from cnnstat.cli.memory import AmpOption, CheckpointOption, ModeOption
from cnnstat.cli.options import (
    MODEL,
    OUTPUT,
    TABLE,
    ArgsOption,
    BatchOption,
    DepthOption,
    DtypeOption,
    InputsOption,
    ModelArgument,
    argument,
    at_least_one,
    factory_arguments,
    input_shapes,
    input_sweep,
    option,
)
from cnnstat.cli.roofline import (
    BandwidthOption,
    DeviceOption,
    DevicesOption,
    PeakOption,
    device_of,
    peak_of,
)
from cnnstat.errors import ModelError

if TYPE_CHECKING:
    from cnnstat.count.report import Report

KINDS = {name: f"plot:{name}" for name in ("bubble", "layers", "memory", "roofline", "scaling")}
KINDS["sweep"] = "plot:space"
EXAMPLES = {
    "bubble": ("cnnstat plot bubble -o bubble.svg",),
    "layers": ("cnnstat plot layers vgg16 -o layers.svg",),
    "memory": ("cnnstat plot memory resnet50 --mode training -o memory.png",),
    "roofline": (
        "cnnstat plot roofline resnet50 --device h100-sxm --dtype float16 -o roofline.png",
        "cnnstat plot roofline samples/bench/cpu-1-thread.json -o roofline.pdf",
    ),
    "space": ("cnnstat plot sweep samples/sweep/scaled.csv --x macs --colour width -o space.svg",),
    "scaling": ("cnnstat plot scaling resnet50 --input 128,160,192,224 -o scaling.png",),
}


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


def bubble(
    output: PictureOption,
    models: Annotated[
        list[str] | None,
        argument("MODEL", "Names of 'cnnstat list'.", default="the ImageNet line-up"),
    ] = None,
    top5: Annotated[
        bool, option("--top5", group=OUTPUT, help="Plot top-5 accuracy instead of top-1.")
    ] = False,
) -> None:
    """Plot accuracy over MACs; the area of a circle shows the parameters."""
    picture = _ready(output)
    from cnnstat import api
    from cnnstat.cli.output import remark
    from cnnstat.render.plots.bubble import Rate, bubble_figure, bubbles
    from cnnstat.zoo.lineup import IMAGENET

    rate: Rate = "top5" if top5 else "top1"
    loaded = [api.load(name) for name in dict.fromkeys(models or IMAGENET)]
    circles, without = bubbles(
        [(api.analyze(model).report, model.card) for model in loaded], rate=rate
    )
    figure = bubble_figure(circles, rate=rate)
    if without:
        remark(f"left out, no published {'top-5' if top5 else 'top-1'} error: {', '.join(without)}")
    _write(figure, picture, output)


def layers(
    model: ModelArgument,
    output: PictureOption,
    input: InputsOption = None,
    args: ArgsOption = None,
    batch: BatchOption = 1,
    depth: DepthOption = None,
) -> None:
    """Plot parameters, activation memory and MACs of every layer."""
    picture = _ready(output)
    from cnnstat import api
    from cnnstat.render.plots.layers import layers_figure

    loaded = api.load(model, arguments=factory_arguments(args))
    report = api.analyze(loaded, input=input_shapes(input), batch=batch).report
    _write(layers_figure(report, depth=at_least_one("depth", depth)), picture, output)


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
    """Plot the live bytes over the layers of an inference pass or a training step."""
    picture = _ready(output)
    from cnnstat import api
    from cnnstat.memory.memory import settings
    from cnnstat.render.plots.memory import memory_figure

    chosen = settings(mode=mode, amp=amp, checkpoint=checkpoint)
    loaded = api.load(model, arguments=factory_arguments(args))
    plan = api.memory(loaded, chosen, input=input_shapes(input), batch=batch)
    _write(memory_figure(plan), picture, output)


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
) -> None:
    """Plot the bound of each layer on a device, or measured runs against their roofline."""
    picture = _ready(output)
    chosen = device_of(device, devices)
    if chosen is None and peak is None and bandwidth is None:
        from cnnstat.bench.measurement import read_result
        from cnnstat.render.plots.roofline import roofline_figure

        _write(roofline_figure(read_result(model)), picture, output)
        return
    from cnnstat import api
    from cnnstat.bench.roofline import compute_dtype
    from cnnstat.render.plots.layerbounds import layer_bounds_figure

    loaded = api.load(model, arguments=factory_arguments(args))
    report = api.analyze(loaded, input=input_shapes(input), batch=batch, dtype=dtype).report
    rates = peak_of(report, chosen, peak, bandwidth)
    figure = layer_bounds_figure(report, rates, dtype=compute_dtype(report), device=chosen)
    _write(figure, picture, output)


def scaling(
    model: ModelArgument,
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
    batch: BatchOption = 1,
) -> None:
    """Plot MACs, activation memory and parameters over the input size."""
    picture = _ready(output)
    from cnnstat.render.plots.scaling import scaling_figure

    reports = _own_sizes(model, batch) if input is None else _sizes(model, input, batch)
    _write(scaling_figure(reports), picture, output)


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
) -> None:
    """Plot the models of a sweep and the front that none of them dominates."""
    picture = _ready(output)
    from cnnstat.render.plots.sweep import sweep_figure

    _write(sweep_figure(results, x=x, y=y, colour=colour), picture, output)


def _sizes(model: str, texts: list[str], batch: int) -> list[Report]:
    from cnnstat import api

    loaded = api.load(model)
    return [api.analyze(loaded, input=size, batch=batch).report for size in input_sweep(texts)]


def _own_sizes(model: str, batch: int) -> list[Report]:
    """Return reports around the model's own size; a remark names sizes that it cannot take."""
    from cnnstat import api
    from cnnstat.cli.output import remark
    from cnnstat.render.plots.scaling import default_sizes

    loaded = api.load(model)
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
        remark(f"left out, {model} cannot take: {', '.join(failed)}")
    return reports


def _ready(path: str) -> Any:
    """Return the format of a picture; raise for a bad path or library before the work begins."""
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
