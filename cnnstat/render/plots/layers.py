"""Parameters, activation memory and work of a model: three panels over its layers.

In a classic network most memory is in the early convolutions and most parameters in the last
layers; this plot shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from cnnstat.count.layer import Layer
from cnnstat.count.report import Report
from cnnstat.errors import UsageError
from cnnstat.render.graph.outline import sections
from cnnstat.render.numbers import bytes_text, scaled, shape_text
from cnnstat.render.plots.style import (
    AXIS,
    BLUE,
    GREEN,
    ORANGE,
    count_axis,
    fitted,
    heading,
    names_that_fit,
    side_by_side,
)
from cnnstat.render.safe_text import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

MOST_NAMES = 45
"""Layers whose names fit under the panels; more are named by stage."""

LETTERS = 26
"""Characters of a layer's name that are shown."""


class Panel(NamedTuple):
    """One quantity by layer; None where it is unknown. ``total`` is in words."""

    title: str
    colour: str
    values: tuple[int | None, ...]
    total: str
    unit: str

    @property
    def heights(self) -> list[int]:
        """The values, zero where they are unknown."""
        return [value or 0 for value in self.values]


class Section(NamedTuple):
    """A stage on the axis: its name and the numbers of its layers, which others may stand between.

    The auxiliary heads of GoogLeNet do.
    """

    name: str
    places: tuple[int, ...]

    @property
    def middle(self) -> float:
        """Where its name stands on the axis."""
        return (min(self.places) + max(self.places)) / 2


def layers_figure(*reports: Report, depth: int | None = None) -> Figure:
    """Return the picture of reports side by side, on the same scales.

    Modules deeper than ``depth`` are one layer each.
    """
    models = [(report, _rows(report, depth)) for report in reports]
    return side_by_side(5.2, models, _fill)


def _rows(report: Report, depth: int | None) -> Sequence[Layer]:
    rows = report.view(depth=depth)
    if not any(row.params or row.macs or row.activation_bytes for row in rows):
        raise UsageError(
            f"{report.name}: nothing to plot: no layer has parameters, outputs or work"
        )
    return rows


def _fill(figure: Figure | SubFigure, model: tuple[Report, Sequence[Layer]]) -> Sequence[Axes]:
    """Draw one model into a figure or a part of one; return its panels."""
    report, rows = model
    named = len(rows) <= names_that_fit(figure, MOST_NAMES)
    each = [Section(row.name, (place,)) for place, row in enumerate(rows)]
    parts = each if named else spans_of(rows)
    panels: Sequence[Axes] = figure.subplots(3, 1, sharex=True)
    shapes = ", ".join(shape_text(spec.shape) for spec in report.inputs.values())
    heading(figure, f"{shown(report.name)}, input {shapes}")
    for axes, panel in zip(panels, panels_of(report, rows), strict=True):
        _draw(axes, panel, bars=named)
        title = f"{panel.title}: {panel.total}{_most(panel, parts)}"
        axes.set_title(fitted(figure, title, margin=AXIS))
    if named:
        _name(panels[-1], parts)
    else:
        _spans(panels, parts, rows)
    return panels


def panels_of(report: Report, rows: Sequence[Layer]) -> tuple[Panel, ...]:
    """Return parameters, activation memory and MACs of the rows."""
    totals = report.totals
    least = "at least " if report.status == "partial" else ""
    size = bytes_text(totals.activation_bytes)
    work = f"{least}{scaled(totals.macs)}"
    return tuple(
        Panel(title, colour, tuple(getattr(row, key) for row in rows), total, unit)
        for title, colour, key, total, unit in (
            ("Parameters", BLUE, "params", scaled(totals.params), ""),
            ("Activation memory", ORANGE, "activation_bytes", size, "B"),
            ("Multiply-accumulates", GREEN, "macs", work, ""),
        )
    )


def spans_of(rows: Sequence[Layer]) -> list[Section]:
    """Return the stages and single modules at the top of a model with the rows in them."""
    number = {row.name: place for place, row in enumerate(rows)}
    return [
        Section(name, tuple(number[row.name] for row in members))
        for name, members in sections(rows)
    ]


def _draw(axes: Axes, panel: Panel, *, bars: bool) -> None:
    heights = panel.heights
    places = range(len(heights))
    if bars:
        axes.bar(places, heights, color=panel.colour, width=0.75)
    else:
        edges = [place - 0.5 for place in range(len(heights) + 1)]
        axes.stairs(heights, edges, fill=True, color=panel.colour)
    for place, value in enumerate(panel.values):
        if value is None:
            axes.text(place, 0, "?", ha="center", va="bottom", fontsize=8)
    axes.set_xlim(-0.75, len(heights) - 0.25)
    axes.set_ylim(0, max(1, 1.05 * max(heights)))
    axes.grid(visible=False, axis="x")
    count_axis(axes, "y", panel.unit)


def _most(panel: Panel, parts: Sequence[Section]) -> str:
    """Return where the largest part of a quantity is: ``, 74.3% of it in fc6``."""
    if None in panel.values or not any(panel.values):
        return ""
    known = panel.heights
    sums = [(sum(known[place] for place in part.places), part.name) for part in parts]
    most, name = max(sums, key=lambda pair: pair[0])
    return f", {100 * most / sum(known):.1f}% of it in {_short(name)}"


def _short(name: str) -> str:
    name = shown(name)
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 3]}..."


def _name(axes: Axes, parts: Sequence[Section]) -> None:
    """Write the names of layers or stages under an axis."""
    axes.set_xticks([part.middle for part in parts])
    axes.set_xticklabels([_short(part.name) for part in parts], rotation=90, fontsize=7)


def _spans(panels: Sequence[Axes], spans: Sequence[Section], rows: Sequence[Layer]) -> None:
    """Name the stages under the last panel as far as they fit, and part them.

    The widest come first, then those with the most parameters.
    """

    def rank(span: Section) -> tuple[int, int]:
        return -len(span.places), -sum(rows[place].params for place in span.places)

    spacing = len(rows) / names_that_fit(panels[-1].figure, 55)  # rows a line of rotated type takes
    shown: list[Section] = []
    for span in sorted(spans, key=rank):
        if all(abs(span.middle - other.middle) >= spacing for other in shown):
            shown.append(span)
    _name(panels[-1], sorted(shown, key=lambda span: span.middle))
    panels[-1].set_xlabel(f"{len(rows):,} layers in order")
    for span in spans:
        first, last = min(span.places), max(span.places)
        for panel in panels if last - first >= spacing else ():
            for edge in (first - 0.5, last + 0.5):
                panel.axvline(edge, color="#aaaaaa", linewidth=0.5, zorder=0)
