"""Rooflines: measured runs, or the layers of a model, as rate over arithmetic intensity.

The roof is the memory's rate times the intensity, up to the peak rate. Measured runs have rates
that were measured with them: a run above the roof used caches, or fewer multiplications than its
definition counts. A layer is a dot on a device's roof by definition, at the rate that its bound
allows; its area is its share of the sum of the bounds. The largest are named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from cnnstat.bench.devices import Device
from cnnstat.bench.layerbounds import LayerBound, layer_bounds, total_ms
from cnnstat.bench.measurement import OK, Measurement, Run
from cnnstat.bench.roofline import Peak, Rates
from cnnstat.count.report import Report
from cnnstat.errors import UsageError
from cnnstat.render.numbers import number, scaled
from cnnstat.render.plots.labels import Line, Point, Spot, label_points
from cnnstat.render.plots.style import PALETTE, count_axis, heading, log_axis, new_figure, styled
from cnnstat.render.safe_text import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "osD^vPX*"
DASHES = ("-", "--", "-.", ":")
RADIUS = 3.0

NAMED = 8
"""Layers that are named: those with the largest bounds."""

LARGEST = 14.0
"""Radius of a layer that is the whole model, in points."""


class Measured(NamedTuple):
    """One point: MACs per byte, MACs per second, its element type and what it is called."""

    macs_per_byte: float
    macs_per_s: float
    dtype: str
    label: str


def measured_points(measurement: Measurement) -> tuple[Measured, ...]:
    """Return the runs that were measured and multiply at all.

    Labels say what distinguishes the runs.
    """
    runs = [
        run
        for run in measurement.runs
        if run.status == OK and run.gmacs_per_s and run.macs_per_byte > 0
    ]
    keys = ("batch", "mode", "channels_last", "compiled", "cuda_graph")
    several = {key for key in keys if len({getattr(run, key) for run in runs}) > 1}
    return tuple(
        Measured(run.macs_per_byte, 1e9 * (run.gmacs_per_s or 0), run.dtype, _label(run, several))
        for run in runs
    )


def _label(run: Run, several: set[str]) -> str:
    words = {
        "batch": f"x{run.batch}",
        "mode": "" if run.mode == "inference" else run.mode,
        "channels_last": "channels last" if run.channels_last else "",
        "compiled": "compiled" if run.compiled else "",
        "cuda_graph": "CUDA graph" if run.cuda_graph else "",
    }
    return " ".join([run.model, *(word for key, word in words.items() if word and key in several)])


def rates_of(measurement: Measurement) -> dict[str, Rates]:
    """Return the device's rates by element type; empty where they were not measured."""
    reference = measurement.environment.get("reference") or {}
    copied = (reference.get("copy") or {}).get("bytes_per_s")
    products = reference.get("matmul") or {}
    rates = {dtype: product["macs_per_s"] for dtype, product in products.items()}
    return {dtype: Rates(rate, copied) for dtype, rate in rates.items() if rate and copied}


def roofline_figure(measurement: Measurement) -> Figure:
    """Return the plot of a result. Raises ``UsageError`` where it has no run or no reference."""
    points, rates = measured_points(measurement), rates_of(measurement)
    if not points:
        raise UsageError("nothing to plot: no run of the result was measured")
    if not rates:
        raise UsageError(
            "nothing to plot: the result has no measured rates of the device "
            "('reference' in its environment)"
        )
    with styled():
        figure = new_figure(4.4)
        axes = figure.subplots()
        edges = [rate.macs_per_s / rate.bytes_per_s for rate in rates.values()]
        limits = _limits([*(point.macs_per_byte for point in points), *edges])
        roofs: list[Line] = []
        for place, dtype in enumerate(dict.fromkeys(point.dtype for point in points)):
            colour = PALETTE[place % len(PALETTE)]
            if dtype in rates:
                words, dash = f"bound, {dtype}: {{}}MACs/s, {{}}B/s", DASHES[place % len(DASHES)]
                roofs += _roof(axes, rates[dtype], limits, words, colour, dash)
            members = [point for point in points if point.dtype == dtype]
            axes.plot(
                [point.macs_per_byte for point in members],
                [point.macs_per_s for point in members],
                linestyle="none",
                marker=MARKERS[place % len(MARKERS)],
                markersize=2 * RADIUS,
                color=colour,
                markeredgecolor="#333333",
                markeredgewidth=0.6,
                label=f"measured, {shown(dtype)}",
                zorder=3,
            )
        reached = [*(p.macs_per_s for p in points), *(r.macs_per_s for r in rates.values())]
        floor = min([*reached, *(limits[0] * rate.bytes_per_s for rate in rates.values())])
        _decorate(axes, limits, (floor / 2.5, max(reached) * 2.5))
        axes.set_xlabel("Arithmetic intensity (multiply-accumulates per byte to and from memory)")
        axes.set_ylabel("Multiply-accumulates per second")
        _head(figure, _device_words(measurement.environment))
        label_points(
            axes, [Point(p.macs_per_byte, p.macs_per_s, RADIUS, p.label) for p in points], roofs
        )
    return figure


def _device_words(environment: Mapping[str, object]) -> list[str]:
    threads = environment.get("threads")
    on_cpu = environment.get("device_type") == "cpu"
    words = [f"{threads} thread{'' if threads == 1 else 's'}"] if on_cpu else []
    return [str(environment.get("device_name")), *words]


def layer_bounds_figure(
    report: Report, peak: Peak, *, dtype: str, device: Device | None = None
) -> Figure:
    """Return the plot of a model's layers. Raises ``UsageError`` where no FLOPs are known."""
    bounds = [each for each in layer_bounds(report, peak) if each.bound_ms and each.flops]
    if not bounds:
        raise UsageError(f"{report.name}: no layer has FLOPs to plot")
    total = total_ms(tuple(bounds))
    with styled():
        figure = new_figure(4.4)
        axes = figure.subplots()
        ridge = peak.flops_per_s / peak.bytes_per_s
        limits = _limits([*map(_intensity, bounds), ridge])
        roof = _roof(axes, peak, limits, "roof: {}FLOP/s, {}B/s")
        for limit, colour in (("memory", PALETTE[0]), ("compute", PALETTE[1])):
            members = [each for each in bounds if each.limit == limit]
            if not members:
                continue
            part = number(total_ms(tuple(members)))
            axes.scatter(
                list(map(_intensity, members)),
                list(map(_rate, members)),
                s=[(2 * _radius(each, total)) ** 2 for each in members],
                color=colour,
                edgecolor="#333333",
                linewidth=0.6,
                alpha=0.8,
                zorder=3,
                label=f"{limit}-bound layers: {len(members)}, {part} ms",
            )
        _decorate(axes, limits, (limits[0] * peak.bytes_per_s, 3 * peak.flops_per_s))
        axes.set_xlabel("Arithmetic intensity (FLOPs per byte to and from memory)")
        axes.set_ylabel("FLOPs per second that the bound allows")
        words = [report.name, f"batch {report.batch:,}", dtype]
        _head(figure, [*words, device.title] if device else words)
        named = [
            Point(_intensity(each), _rate(each), _radius(each, total), name)
            for each, name in _largest(bounds)
        ]
        label_points(axes, named, roof)
    return figure


def _largest(bounds: list[LayerBound]) -> list[tuple[LayerBound, str]]:
    """Return the layers to name, the largest bounds first; dots that coincide share one name."""
    places: dict[tuple[str, str], list[LayerBound]] = {}
    for each in sorted(bounds, key=lambda each: -(each.bound_ms or 0.0)):
        place = (f"{_intensity(each):.2g}", f"{_rate(each):.2g}")
        places.setdefault(place, []).append(each)
    return [
        (same[0], same[0].layer.name + (f" x{len(same)}" if len(same) > 1 else ""))
        for same in list(places.values())[:NAMED]
    ]


def _intensity(bound: LayerBound) -> float:
    return (bound.flops or 0) / bound.traffic_bytes


def _rate(bound: LayerBound) -> float:
    """Return the FLOPs a second that the bound allows."""
    return 1e3 * (bound.flops or 0) / (bound.bound_ms or 1.0)


def _radius(bound: LayerBound, total: float) -> float:
    return float(max(2.0, LARGEST * ((bound.bound_ms or 0.0) / total) ** 0.5))


def _limits(intensities: Sequence[float]) -> Spot:
    """Return limits that include every point and every roof's edge."""
    return min(intensities) / 3, max(intensities) * 3


def _roof(
    axes: Axes,
    rates: Rates | Peak,
    limits: Spot,
    words: str,
    colour: str = "#333333",
    dash: str = "-",
) -> list[Line]:
    """Draw a roof, with both rates in its label; return its two lines."""
    (low, high), (rate, copied) = limits, rates
    corners = [(low, low * copied), (rate / copied, rate), (high, rate)]
    axes.plot(
        *zip(*corners, strict=True),
        color=colour,
        linestyle=dash,
        linewidth=1.4,
        label=words.format(scaled(round(rate)), scaled(round(copied))),
    )
    return list(pairwise(corners))


def _decorate(axes: Axes, across: Spot, up: Spot) -> None:
    """Give the axes their limits and ticks."""
    from matplotlib.ticker import FuncFormatter

    log_axis(axes, "x", across)
    log_axis(axes, "y", up)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    count_axis(axes, "y")


def _head(figure: Figure, words: Sequence[str]) -> None:
    heading(figure, ", ".join(map(shown, words)))
    figure.legend(loc="outside lower center", ncols=2, fontsize=7)
