"""Live bytes over the layers of a pass: the timeline, its highest layer, what autograd keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnstat.memory.memory import MemoryPlan
from cnnstat.render.numbers import bytes_text
from cnnstat.render.plots.style import BLUE, GREEN, ORANGE, count_axis, new_figure, styled
from cnnstat.render.safe_text import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NAMES = 45
"""Layers whose names fit under the axis; more are numbered."""


def memory_figure(plan: MemoryPlan) -> Figure:
    """Return the plot of a plan: forward and, in training, what is kept and the way back."""
    rows = [plan.of(layer) for layer in plan.report.layers]
    names = [layer.name for layer in plan.report.layers]
    training = plan.settings.mode == "training"
    with styled():
        figure = new_figure(3.6)
        axes = figure.subplots()
        where = range(len(rows))
        forward = [row.live_bytes for row in rows]
        axes.step(where, forward, where="mid", color=BLUE, label="live, forward pass")
        if training:
            saved = [sum(row.saved_bytes for row in rows[: at + 1]) for at in where]
            axes.fill_between(
                where, saved, step="mid", color=GREEN, alpha=0.3, label="saved so far"
            )
            back = [row.backward_bytes for row in rows]
            axes.step(
                where, back, where="mid", color=ORANGE, linestyle="--", label="live, backward pass"
            )
        else:
            ideal = [row.ideal_bytes for row in rows]
            axes.step(where, ideal, where="mid", color=GREEN, linestyle="--", label="live, ideal")
        _label(axes, plan, names)
        axes.legend(loc="best")
    return figure


def _label(axes: Axes, plan: MemoryPlan, names: list[str]) -> None:
    peak = plan.peak
    least = ">= " if plan.status == "partial" else ""
    axes.set_title(
        f"{shown(plan.report.name)}, {plan.settings.mode}, batch {plan.batch:,}:\n"
        f"peak {least}{bytes_text(peak.bytes)} at {shown(peak.layer)} ({peak.phase})"
    )
    axes.set_ylabel("bytes, weights left out")
    count_axis(axes, "y", "B")
    axes.set_ylim(bottom=0)
    axes.set_xlim(-0.5, len(names) - 0.5)
    if len(names) <= MOST_NAMES:
        axes.set_xticks(range(len(names)), [shown(name) for name in names], rotation=90)
    else:
        axes.set_xlabel("layer")
