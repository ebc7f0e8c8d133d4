"""MACs, memory and parameters of a model over its input size."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt
from typing import TYPE_CHECKING, NamedTuple

from cnnstat.count.report import Report
from cnnstat.errors import UsageError
from cnnstat.render.plots.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    count_axis,
    new_figure,
    styled,
)
from cnnstat.render.safe_text import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FACTORS = ((1, 2), (3, 4), (1, 1), (5, 4), (3, 2), (2, 1))
"""Default sizes, relative to the model's own input."""


class Series(NamedTuple):
    """One line: its values at the sizes, in order."""

    name: str
    values: tuple[int, ...]
    colour: str
    marker: str
    dash: str


def default_sizes(extents: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return input extents around those of a model, in the same proportion."""
    return [
        tuple(max(1, extent * above // below) for extent in extents) for above, below in FACTORS
    ]


def scaling_figure(reports: Sequence[Report]) -> Figure:
    """Return the plot of one model's reports at several sizes of its first input.

    Raises ``UsageError`` for fewer than two sizes, or inputs that are not images.
    """
    for report in reports:
        if len(report.input.shape) != 4:
            shape = "x".join(map(str, report.input.shape))
            raise UsageError(f"{report.name}: input {shape} has no height and width to scale")
    ordered = sorted(reports, key=lambda report: (_side(report), report.input.shape))
    if len({_side(report) for report in ordered}) < 2:
        raise UsageError(
            "nothing to plot: scaling needs two or more input sizes, as in --input 128,160,192,224"
        )
    panels = (
        ("Multiply-accumulates", "", [_macs(ordered)]),
        ("Activation memory", "B", _memory(ordered)),
        ("Parameters", "", [_params(ordered)]),
    )
    with styled():
        figure = new_figure(5.6)
        figure.suptitle(
            f"{shown(ordered[0].name)}, batch {ordered[0].batch}", fontsize=9, x=0.01, ha="left"
        )
        all_axes = figure.subplots(3, 1, sharex=True)
        for axes, (title, unit, series) in zip(all_axes, panels, strict=True):
            _draw(axes, title, unit, series, ordered)
        _sizes(all_axes[-1], ordered)
    return figure


def _side(report: Report) -> float:
    """Return the side of the square that has as many positions as the input."""
    return sqrt(prod(report.input_extents))


def _macs(reports: Sequence[Report]) -> Series:
    values = tuple(report.totals.macs for report in reports)
    return Series("multiply-accumulates", values, GREEN, "o", "-")


def _memory(reports: Sequence[Report]) -> list[Series]:
    every = tuple(report.totals.activation_bytes for report in reports)
    peak = tuple(report.totals.peak_activation_bytes for report in reports)
    return [
        Series("all activations", every, ORANGE, "s", "-"),
        Series("peak", peak, RED, "^", "-."),
    ]


def _params(reports: Sequence[Report]) -> Series:
    values = tuple(report.totals.params for report in reports)
    return Series("parameters", values, BLUE, "D", "-")


def _draw(
    axes: Axes, title: str, unit: str, series: Sequence[Series], reports: Sequence[Report]
) -> None:
    sides = [_side(report) for report in reports]
    for line in series:
        axes.plot(
            sides,
            line.values,
            color=line.colour,
            marker=line.marker,
            linestyle=line.dash,
            markersize=4,
            linewidth=1.2,
            label=shown(line.name),
        )
    if title != "Parameters":
        first = series[0].values[0]
        axes.plot(
            sides,
            [first * (side / sides[0]) ** 2 for side in sides],
            color=GREY,
            linestyle=":",
            linewidth=1,
            label="proportional to the area",
            zorder=1,
        )
        axes.legend(loc="upper left", fontsize=7)
    axes.set_title(title)
    axes.set_ylim(0, 1.12 * max(max(line.values) for line in series) or 1)
    count_axis(axes, "y", unit)


def _sizes(axes: Axes, reports: Sequence[Report]) -> None:
    """Write the sizes under the axis, except those too close to the one before."""
    from matplotlib.ticker import FixedLocator

    sides = [_side(report) for report in reports]
    spacing = (sides[-1] - sides[0]) / 14
    shown: list[tuple[float, str]] = []
    for side, report in zip(sides, reports, strict=True):
        height, width = report.input_extents
        text = str(height) if height == width else f"{height}x{width}"
        if not shown or side - shown[-1][0] >= spacing:
            shown.append((side, text))
    axes.xaxis.set_major_locator(FixedLocator([side for side, _ in shown]))
    axes.set_xticklabels([text for _, text in shown])
    axes.set_xlabel("Input size (height and width)")
