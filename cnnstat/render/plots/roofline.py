"""Measured runs and the measured roofline of their device: rate over arithmetic intensity.

The roof is the copy rate times the intensity, up to the matrix-product rate; both were measured
with the runs. A run above it used caches, or fewer multiplications than its definition counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from cnnstat.bench.measurement import OK, Measurement, Run
from cnnstat.bench.roofline import Rates
from cnnstat.errors import UsageError
from cnnstat.render.numbers import number, scaled
from cnnstat.render.plots.labels import Point, label_points
from cnnstat.render.plots.style import PALETTE, heading, new_figure, styled
from cnnstat.render.safe_text import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "osD^vPX*"
DASHES = ("-", "--", "-.", ":")
RADIUS = 3.0


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
    several = {
        key: len({getattr(run, key) for run in runs}) > 1
        for key in ("batch", "mode", "channels_last", "compiled", "cuda_graph", "input_shape")
    }
    return tuple(
        Measured(run.macs_per_byte, 1e9 * (run.gmacs_per_s or 0), run.dtype, _label(run, several))
        for run in runs
    )


def _label(run: Run, several: Mapping[str, bool]) -> str:
    words = [run.model]
    if several["batch"]:
        words.append(f"x{run.batch}")
    if several["mode"] and run.mode != "inference":
        words.append(run.mode)
    for key, word in (
        ("channels_last", "channels last"),
        ("compiled", "compiled"),
        ("cuda_graph", "CUDA graph"),
    ):
        if several[key] and getattr(run, key):
            words.append(word)
    return " ".join(words)


def rates_of(measurement: Measurement) -> dict[str, Rates]:
    """Return the device's rates by element type; empty where they were not measured."""
    reference = measurement.environment.get("reference")
    reference = reference if isinstance(reference, Mapping) else {}
    copied = _positive(reference.get("copy"), "bytes_per_s")
    products = reference.get("matmul")
    if copied is None or not isinstance(products, Mapping):
        return {}
    rates = {dtype: _positive(entry, "macs_per_s") for dtype, entry in products.items()}
    return {dtype: Rates(rate, copied) for dtype, rate in rates.items() if rate is not None}


def _positive(entry: object, key: str) -> float | None:
    value = entry.get(key) if isinstance(entry, Mapping) else None
    fits = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return float(value) if fits and isinstance(value, int | float) else None


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
    dtypes = list(dict.fromkeys(point.dtype for point in points))
    with styled():
        figure = new_figure(4.4)
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.set_yscale("log")
        low, high = _limits(points, rates)
        axes.set_xlim(low, high)
        for place, dtype in enumerate(dtypes):
            colour = PALETTE[place % len(PALETTE)]
            if dtype in rates:
                _roof(axes, dtype, rates[dtype], (low, high), colour, DASHES[place % len(DASHES)])
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
        _decorate(figure, axes, measurement, points, rates)
        roofs = [_corners(rates[dtype], (low, high)) for dtype in dtypes if dtype in rates]
        label_points(
            axes,
            [Point(p.macs_per_byte, p.macs_per_s, RADIUS, p.label) for p in points],
            avoid=[line for corners in roofs for line in pairwise(corners)],
        )
    return figure


def _limits(points: Sequence[Measured], rates: Mapping[str, Rates]) -> tuple[float, float]:
    """Return limits that include every point and every roof's edge."""
    edges = [rate.macs_per_s / rate.bytes_per_s for rate in rates.values()]
    intensities = [point.macs_per_byte for point in points] + edges
    return min(intensities) / 3, max(intensities) * 3


def _roof(
    axes: Axes, dtype: str, rates: Rates, limits: tuple[float, float], colour: str, dash: str
) -> None:
    corners = _corners(rates, limits)
    axes.plot(
        [x for x, _ in corners],
        [y for _, y in corners],
        color=colour,
        linestyle=dash,
        linewidth=1.4,
        label=(
            f"bound, {dtype}: {scaled(round(rates.macs_per_s))} MACs/s, "
            f"{scaled(round(rates.bytes_per_s))}B/s"
        ),
    )


def _corners(rates: Rates, limits: tuple[float, float]) -> list[tuple[float, float]]:
    """Return the roof's corners, MACs per byte and per second."""
    low, high = limits
    edge = rates.macs_per_s / rates.bytes_per_s
    return [
        (low, low * rates.bytes_per_s),
        (edge, rates.macs_per_s),
        (high, rates.macs_per_s),
    ]


def _decorate(
    figure: Figure,
    axes: Axes,
    measurement: Measurement,
    points: Sequence[Measured],
    rates: Mapping[str, Rates],
) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low = axes.get_xlim()[0]
    floors = [low * rate.bytes_per_s for rate in rates.values()]
    lowest = min([point.macs_per_s for point in points] + floors)
    highest = max([p.macs_per_s for p in points] + [r.macs_per_s for r in rates.values()])
    axes.set_ylim(lowest / 2.5, highest * 2.5)
    axes.set_xlabel("Arithmetic intensity (multiply-accumulates per byte to and from memory)")
    axes.set_ylabel("Multiply-accumulates per second")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: scaled(round(value)).replace(".00", ""))
    )
    for axis, (least, most) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if most < 1000 * least else (1,)))
        axis.set_minor_formatter(NullFormatter())
    where = [shown(str(measurement.environment.get("device_name")))]
    threads = measurement.environment.get("threads")
    if measurement.environment.get("device_type") == "cpu":
        where.append(f"{threads} thread{'' if threads == 1 else 's'}")
    heading(figure, ", ".join(where))
    figure.legend(loc="outside lower center", ncols=2, fontsize=7)
