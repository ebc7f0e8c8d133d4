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
    heading,
    side_by_side,
)
from cnnstat.render.safe_text import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

FACTORS = ((1, 2), (3, 4), (1, 1), (5, 4), (3, 2), (2, 1))
"""Default sizes, relative to the model's own input."""


class Series(NamedTuple):
    """One line: a total at every size, by its key."""

    name: str
    key: str
    colour: str
    marker: str
    dash: str = "-"


PANELS = (
    ("Multiply-accumulates", "", [Series("multiply-accumulates", "macs", GREEN, "o")]),
    (
        *("Activation memory", "B"),
        [
            Series("all activations", "activation_bytes", ORANGE, "s"),
            Series("peak", "peak_activation_bytes", RED, "^", "-."),
        ],
    ),
    ("Parameters", "", [Series("parameters", "params", BLUE, "D")]),
)
"""Title, unit and lines of each panel."""


def default_sizes(extents: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return input extents around those of a model, in the same proportion."""
    return [
        tuple(max(1, extent * above // below) for extent in extents) for above, below in FACTORS
    ]


def scaling_figure(*models: Sequence[Report]) -> Figure:
    """Return the plot of models side by side, each by reports at several sizes of its first images.

    Raises ``UsageError`` for fewer than two sizes, or inputs that are not images.
    """
    return side_by_side(5.6, [_ordered(reports) for reports in models], _fill)


def _ordered(reports: Sequence[Report]) -> list[Report]:
    for report in reports:
        if not _extents(report):
            shapes = ", ".join("x".join(map(str, spec.shape)) for spec in report.inputs.values())
            raise UsageError(f"{report.name}: input {shapes} has no height and width to scale")
    ordered = sorted(reports, key=lambda report: (_side(report), _extents(report)))
    if len({_side(report) for report in ordered}) < 2:
        raise UsageError(
            "nothing to plot: scaling needs two or more input sizes, as in --input 128,160,192,224"
        )
    return ordered


def _fill(figure: Figure | SubFigure, reports: Sequence[Report]) -> Sequence[Axes]:
    """Draw one model into a figure or a part of one; return its panels."""
    heading(figure, f"{shown(reports[0].name)}, batch {reports[0].batch}")
    panels: Sequence[Axes] = figure.subplots(3, 1, sharex=True)
    for axes, (title, unit, series) in zip(panels, PANELS, strict=True):
        _draw(axes, title, unit, series, reports)
    _sizes(panels[-1], reports)
    return panels


def _side(report: Report) -> float:
    """Return the side of the square that has as many positions as the input."""
    return sqrt(prod(_extents(report)))


def _extents(report: Report) -> tuple[int, ...]:
    """Return height and width of the first input that is images; nothing where none is."""
    shapes = map(report.without_batch, report.entering.values())
    return next((shape[1:] for shape in shapes if len(shape) == 3), ())


def _draw(
    axes: Axes, title: str, unit: str, series: Sequence[Series], reports: Sequence[Report]
) -> None:
    sides = [_side(report) for report in reports]
    values = [[getattr(report.totals, line.key) for report in reports] for line in series]
    for line, heights in zip(series, values, strict=True):
        axes.plot(
            sides,
            heights,
            color=line.colour,
            marker=line.marker,
            linestyle=line.dash,
            markersize=4,
            linewidth=1.2,
            label=line.name,
        )
    if title != "Parameters":
        axes.plot(
            sides,
            [values[0][0] * (side / sides[0]) ** 2 for side in sides],
            color=GREY,
            linestyle=":",
            linewidth=1,
            label="proportional to the area",
            zorder=1,
        )
        axes.legend(loc="upper left", fontsize=7)
    axes.set_title(title)
    axes.set_ylim(0, 1.12 * max(map(max, values)) or 1)
    count_axis(axes, "y", unit)


def _sizes(axes: Axes, reports: Sequence[Report]) -> None:
    """Write the sizes under the axis, except those too close to the one before."""
    from matplotlib.ticker import FixedLocator

    sides = [_side(report) for report in reports]
    spacing = (sides[-1] - sides[0]) / 14
    shown: list[tuple[float, str]] = []
    for side, report in zip(sides, reports, strict=True):
        height, width = _extents(report)
        text = str(height) if height == width else f"{height}x{width}"
        if not shown or side - shown[-1][0] >= spacing:
            shown.append((side, text))
    axes.xaxis.set_major_locator(FixedLocator([side for side, _ in shown]))
    axes.set_xticklabels([text for _, text in shown])
    axes.set_xlabel("Input size (height and width)")
