"""Live bytes over the layers of a pass: the timeline, its highest layer, what autograd keeps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from cnnstat.memory.memory import MemoryPlan
from cnnstat.render.numbers import bytes_text
from cnnstat.render.plots.style import (
    AXIS,
    BLUE,
    GREEN,
    ORANGE,
    count_axis,
    fitted,
    inches,
    names_that_fit,
    side_by_side,
)
from cnnstat.render.safe_text import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

MOST_NAMES = 45
"""Layers whose names fit under the axis; more are numbered."""
NARROW = 3.4
"""Inches of a plot below which the lines of the key stand one below the other."""

FORWARD = ("live_bytes", "forward pass", BLUE, "-")
OTHER = {
    "inference": ("ideal_bytes", "ideal", GREEN, "--"),
    "training": ("backward_bytes", "backward pass", ORANGE, "--"),
}
"""Lines of a plot: key, words, colour and dash; the second one by mode."""


def memory_figure(*plans: MemoryPlan) -> Figure:
    """Return the plot of plans side by side, on the same scale.

    Forward and, in training, what is saved and the backward pass; peaks are marked.
    """
    return side_by_side(3.6, plans, _fill)


def _fill(figure: Figure | SubFigure, plan: MemoryPlan) -> Sequence[Axes]:
    """Draw one plan into a figure or a part of one."""
    rows = [plan.of(layer) for layer in plan.report.layers]
    names = [layer.name for layer in plan.report.layers]
    axes: Axes = figure.subplots()
    where = range(len(rows))
    if plan.settings.mode == "training":
        saved = list(accumulate(row.saved_bytes for row in rows))
        axes.fill_between(where, saved, step="mid", color=GREEN, alpha=0.3, label="saved so far")
    for key, words, colour, dash in (FORWARD, OTHER[plan.settings.mode]):
        values = [getattr(row, key) for row in rows]
        axes.step(where, values, where="mid", color=colour, linestyle=dash, label=f"live, {words}")
        top = max(values)
        at = values.index(top)
        peak = f"{bytes_text(top)} at {shown(names[at])}"
        axes.plot([at], [top], marker="v", linestyle="none", color=colour, label=peak, zorder=4)
    _label(figure, axes, plan, names)
    figure.legend(loc="outside lower center", ncols=2 if inches(figure) > NARROW else 1, fontsize=7)
    return [axes]


def _label(figure: Figure | SubFigure, axes: Axes, plan: MemoryPlan, names: list[str]) -> None:
    peak = plan.peak
    least = ">= " if plan.status == "partial" else ""
    title = (
        f"{shown(plan.report.name)}, {plan.settings.mode}, batch {plan.batch:,}:\n"
        f"peak {least}{bytes_text(peak.bytes)} at {shown(peak.layer)} ({peak.phase})"
    )
    axes.set_title(fitted(figure, title, margin=AXIS))
    axes.set_ylabel("bytes, weights left out")
    count_axis(axes, "y", "B")
    axes.set_ylim(bottom=0)
    axes.set_xlim(-0.5, len(names) - 0.5)
    if len(names) <= names_that_fit(figure, MOST_NAMES):
        axes.set_xticks(range(len(names)), [shown(name) for name in names], rotation=90)
    else:
        axes.set_xlabel("layer")
