"""The layers of a model under the roofline of a device: attainable rate over arithmetic intensity.

A dot is a layer, on the roof by definition: at the rate that its bound allows. Its area is its
share of the sum of the bounds, its colour tells whether compute or memory sets it. The largest are
named.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from cnnstat.bench.devices import Device
from cnnstat.bench.layerbounds import LayerBound, layer_bounds, total_ms
from cnnstat.bench.roofline import Peak
from cnnstat.count.report import Report
from cnnstat.errors import UsageError
from cnnstat.render.numbers import number, scaled
from cnnstat.render.plots.labels import Point, label_points
from cnnstat.render.plots.style import PALETTE, heading, new_figure, styled
from cnnstat.render.safe_text import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 8
"""Layers that are named: those with the largest bounds."""

LARGEST = 14.0
"""Radius of a layer that is the whole model, in points."""


def layer_bounds_figure(
    report: Report, peak: Peak, *, dtype: str, device: Device | None = None
) -> Figure:
    """Return the chart. Raises ``UsageError`` where no layer's FLOPs are known."""
    bounds = [each for each in layer_bounds(report, peak) if each.bound_ms and each.flops]
    if not bounds:
        raise UsageError(f"{report.name}: no layer has FLOPs to plot")
    with styled():
        figure = new_figure(4.4)
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.set_yscale("log")
        corners = _roof(axes, bounds, peak)
        total = total_ms(tuple(bounds))
        for limit, colour in (("memory", PALETTE[0]), ("compute", PALETTE[1])):
            members = [each for each in bounds if each.limit == limit]
            if not members:
                continue
            part = total_ms(tuple(members))
            axes.scatter(
                [_intensity(each) for each in members],
                [_rate(each) for each in members],
                s=[(2 * _radius(each, total)) ** 2 for each in members],
                color=colour,
                edgecolor="#333333",
                linewidth=0.6,
                alpha=0.8,
                zorder=3,
                label=f"{limit}-bound layers: {len(members)}, {number(part)} ms",
            )
        _decorate(figure, axes, report, dtype, device)
        label_points(
            axes,
            [
                Point(_intensity(e), _rate(e), _radius(e, total), name)
                for e, name in _largest(bounds)
            ],
            avoid=list(pairwise(corners)),
        )
    return figure


def _largest(bounds: list[LayerBound]) -> list[tuple[LayerBound, str]]:
    """Return the layers to name, the largest bounds first; dots that coincide share one name."""
    places: dict[tuple[str, str], list[LayerBound]] = {}
    for each in sorted(bounds, key=lambda each: -(each.bound_ms or 0.0)):
        place = (f"{_intensity(each):.2g}", f"{_rate(each):.2g}")
        places.setdefault(place, []).append(each)
    return [
        (same[0], shown(same[0].layer.name) + (f" x{len(same)}" if len(same) > 1 else ""))
        for same in list(places.values())[:NAMED]
    ]


def _intensity(bound: LayerBound) -> float:
    return (bound.flops or 0) / bound.traffic_bytes


def _rate(bound: LayerBound) -> float:
    """Return the FLOPs a second that the bound allows."""
    return 1e3 * (bound.flops or 0) / (bound.bound_ms or 1.0)


def _radius(bound: LayerBound, total: float) -> float:
    return float(max(2.0, LARGEST * ((bound.bound_ms or 0.0) / total) ** 0.5))


def _roof(axes: Axes, bounds: list[LayerBound], peak: Peak) -> list[tuple[float, float]]:
    """Draw the roof; return its corners."""
    ridge = peak.flops_per_s / peak.bytes_per_s
    reached = [_intensity(each) for each in bounds] + [ridge]
    low, high = min(reached) / 3, max(reached) * 3
    axes.set_xlim(low, high)
    axes.set_ylim(low * peak.bytes_per_s, 3 * peak.flops_per_s)
    corners = [
        (low, low * peak.bytes_per_s),
        (ridge, peak.flops_per_s),
        (high, peak.flops_per_s),
    ]
    axes.plot(
        [x for x, _ in corners],
        [y for _, y in corners],
        color="#333333",
        linewidth=1.4,
        label=(
            f"roof: {scaled(round(peak.flops_per_s))}FLOP/s, {scaled(round(peak.bytes_per_s))}B/s"
        ),
    )
    return corners


def _decorate(
    figure: Figure, axes: Axes, report: Report, dtype: str, device: Device | None
) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xlabel("Arithmetic intensity (FLOPs per byte to and from memory)")
    axes.set_ylabel("FLOPs per second that the bound allows")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: scaled(round(value)).replace(".00", ""))
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator())
        axis.set_minor_formatter(NullFormatter())
    words = [shown(report.name), f"batch {report.batch:,}", dtype]
    if device is not None:
        words.append(shown(device.title))
    heading(figure, ", ".join(words))
    figure.legend(loc="outside lower center", ncols=2, fontsize=7)
