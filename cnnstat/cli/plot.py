"""``cnnstat plot KIND``: pictures with matplotlib, PNG, SVG or PDF by the suffix of ``-o``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from cnnstat.cli.command import Group
from cnnstat.cli.memory import Planning
from cnnstat.cli.optionblocks import Several, Subject
from cnnstat.cli.options import (
    MODEL,
    OUTPUT,
    REFERENCE,
    TABLE,
    argument,
    at_least_one,
    factory_arguments,
    input_shapes,
    input_sweep,
    option,
    starting,
)
from cnnstat.cli.output import check_path, remark, write_file
from cnnstat.cli.roofline import Rates
from cnnstat.errors import UsageError

if TYPE_CHECKING:
    from cnnstat.api import Model
    from cnnstat.count.report import Report

KINDS = {name: f"plot:{name}" for name in ("bubble", "layers", "memory", "roofline", "scaling")}
KINDS["sweep"] = "plot:space"
OPTIONS = {
    "bubble.models": argument("MODEL", f"The models, each {REFERENCE}.", "the ImageNet line-up"),
    "bubble.top5": option(OUTPUT, "--top5", "Plot top-5 accuracy instead of top-1."),
    "roofline.model": argument(
        "MODEL|RESULTS",
        "A model, with --device or with --peak and --bandwidth; or a file that 'cnnstat bench "
        "--format json' wrote.",
    ),
    "scaling.input": option(
        MODEL,
        "--input -i SIZE,...",
        "Input sizes: 128,160,192 or 128x96,256x192; NAME=SHAPES for each of several inputs.",
        "sizes around the model's own",
    ),
    "space.results": argument(
        "FILE", "A JSON, CSV or Parquet file that a sweep wrote.", complete=None
    ),
    "space.x": option(TABLE, "--x KEY", "Column on the x axis; -KEY if more is better."),
    "space.y": option(TABLE, "--y KEY", "Column on the y axis; -KEY if more is better."),
    "space.colour": option(
        TABLE, "--colour --color KEY", "Column that sets the colour of the dots."
    ),
    "Picture.output": option(
        OUTPUT, "--output -o FILE", "Write the picture to this file: .png, .svg or .pdf."
    ),
    "Picture.title": option(OUTPUT, "--title TEXT", "Heading.", "the models' names"),
    "Picture.width": option(
        OUTPUT,
        "--width LENGTH",
        "Width of the picture: 3.5 or 3.5in, 8.9cm, 89mm.",
        "6.4in, more for several models",
    ),
    "Picture.dpi": option(OUTPUT, "--dpi N", "Dots per inch of a .png.", "200"),
    "Picture.style": option(
        OUTPUT,
        "--style NAME",
        "screen, or print: serif type, no grid, no heading of its own.",
        complete=starting(lambda: ("screen", "print")),
    ),
}
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


@dataclass(frozen=True)
class Picture:
    """A picture: its file and how it looks."""

    output: str
    title: str | None = None
    width: str | None = None
    dpi: int | None = None
    style: str = "screen"

    def ready(self) -> Callable[[Callable[[], Any]], None]:
        """Return what draws a figure and writes it.

        Raises for a bad path, look or library before the work begins.
        """
        from cnnstat.render.plots import style

        check_path(self.output)
        suffix = style.picture_of(self.output)
        look = style.appearance(
            suffix, title=self.title, width=self.width, dpi=self.dpi, style=self.style
        )
        style.require_matplotlib()

        def write(draw: Callable[[], Any]) -> None:
            with style.appearing(look):
                content = style.save(draw(), suffix)
            write_file(self.output, content)

        return write


def bubble(
    models: list[str] | None = None,
    input: list[str] | None = None,
    args: str | None = None,
    *,
    accuracy: str | None = None,
    top5: bool = False,
    picture: Picture,
) -> None:
    """Plot accuracy over MACs; the area of a circle shows the parameters."""
    write = picture.ready()
    from cnnstat import api
    from cnnstat.api.models import inputs_of, load_all
    from cnnstat.api.useraccuracy import read_accuracy
    from cnnstat.render.plots.bubble import Candidate, Rate, bubble_figure, bubbles
    from cnnstat.zoo.lineup import IMAGENET

    rate: Rate = "top5" if top5 else "top1"
    own = None if accuracy is None else read_accuracy(accuracy)
    loaded = load_all(list(dict.fromkeys(models or IMAGENET)), factory_arguments(args))
    candidates, names = [], set()
    for model, shape in zip(loaded, inputs_of(loaded, input_shapes(input)), strict=True):
        report = api.analyze(model, input=shape).report
        name = model.card.name if model.card else model.reference
        rates = None if own is None else own.of(model.reference, name)
        candidates.append(Candidate(name, report, model.card, rates))
        names |= {name, model.reference}
    if own is not None and (unused := own.unused(names)):
        remark(unused)
    circles, without = bubbles(candidates, rate=rate)
    if circles and without:
        kind = f"{'' if own else 'published '}{'top-5' if top5 else 'top-1'}"
        remark(f"left out, no {kind} error: {', '.join(without)}")
    write(lambda: bubble_figure(circles, rate=rate))


def layers(
    models: list[str], *, several: Several, depth: int | None = None, picture: Picture
) -> None:
    """Plot parameters, activation memory and MACs of every layer."""
    write = picture.ready()
    from cnnstat import api
    from cnnstat.render.plots.layers import layers_figure

    deepest, loaded = at_least_one("depth", depth), several.load_with_inputs(_few(models))
    reports = [api.analyze(model, **entering).report for model, entering in loaded]
    write(lambda: layers_figure(*reports, depth=deepest))


def memory(models: list[str], *, several: Several, planning: Planning, picture: Picture) -> None:
    """Plot the live bytes over the layers of an inference pass or a training step."""
    write = picture.ready()
    from cnnstat import api
    from cnnstat.render.plots.memory import memory_figure

    settings, loaded = planning.settings(), several.load_with_inputs(_few(models))
    plans = [api.memory(model, settings, **entering) for model, entering in loaded]
    write(lambda: memory_figure(*plans))


def roofline(model: str, *, subject: Subject, rates: Rates, picture: Picture) -> None:
    """Plot the bound of each layer on a device, or measured runs against their roofline."""
    write = picture.ready()
    device = rates.named_device()
    if not rates.stated:
        from cnnstat.bench.measurement import read_result
        from cnnstat.render.plots.roofline import roofline_figure

        write(lambda: roofline_figure(read_result(model)))
        return
    from cnnstat.bench.roofline import compute_dtype
    from cnnstat.render.plots.roofline import layer_bounds_figure

    report = subject.analyze(subject.load(model)).report
    peak, kind = rates.peak_of(report, device), compute_dtype(report)
    write(lambda: layer_bounds_figure(report, peak, dtype=kind, device=device))


def scaling(
    models: list[str],
    input: list[str] | None = None,
    args: str | None = None,
    batch: int = 1,
    *,
    picture: Picture,
) -> None:
    """Plot MACs, activation memory and parameters over the input size."""
    write = picture.ready()
    from cnnstat import api
    from cnnstat.api.models import inputs_of, load_all
    from cnnstat.render.plots.scaling import scaling_figure

    loaded, sizes = load_all(_few(models), factory_arguments(args)), input_sweep(input)
    reports = [
        _own_sizes(model, batch)
        if first is None
        else [api.analyze(model, input=size, batch=batch).report for size in sizes]
        for model, first in zip(loaded, inputs_of(loaded, sizes[0]), strict=True)
    ]
    write(lambda: scaling_figure(*reports))


def space(
    results: str,
    *,
    x: str = "macs",
    y: str = "params",
    colour: str | None = None,
    picture: Picture,
) -> None:
    """Plot the models of a sweep and the front that none of them dominates."""
    write = picture.ready()
    from cnnstat.render.plots.sweep import sweep_figure

    write(lambda: sweep_figure(results, x=x, y=y, colour=colour))


def _few(models: list[str]) -> list[str]:
    """Return the models, each once. Raises ``UsageError`` for more than a picture has room for."""
    named = list(dict.fromkeys(models))
    if len(named) > MOST_MODELS:
        raise UsageError(f"{len(named)} models: at most {MOST_MODELS} fit side by side")
    return named


def _own_sizes(loaded: Model, batch: int) -> list[Report]:
    """Return reports around the model's own size; a remark names sizes that it cannot take."""
    from cnnstat import api
    from cnnstat.api.reports import sizes_around

    loaded.require_forward()
    sizes = dict(sizes_around(loaded, api.analyze(loaded, batch=batch).report))
    failed = [size for size, report in sizes.items() if report is None]
    if failed:
        remark(f"left out, {loaded.reference} cannot take: {', '.join(failed)}")
    return [report for report in sizes.values() if report is not None]
