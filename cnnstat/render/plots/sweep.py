"""A space as dots, two of its columns against each other, and the front that nothing dominates."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from cnnstat.errors import UsageError, unknown
from cnnstat.render.plots.style import BLUE, PALETTE, RED, count_axis, new_figure, styled
from cnnstat.sweep.columns import BY_KEY
from cnnstat.sweep.plan import side_of
from cnnstat.sweep.rowfiles import SCHEMA, read_rows
from cnnstat.sweep.selection import Ranking, rankings
from cnnstat.sweep.space import NAMED_INPUT, is_named_input
from cnnstat.sweep.values import spelled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Flat = Mapping[str, object]

LOGARITHMIC = 20
"""Largest value over smallest from which an axis is logarithmic."""

MOST_NAMED = 8
"""Different values of a colour that get an entry each in the key; more numbers get a scale."""

TEXTS = ("model", "input", "dtype", "status", "error")
MARKERS = "osD^vPX*"


class Dots(NamedTuple):
    """Columns of a space: x and y of every model with both, what colours it, and the front."""

    x: list[float]
    y: list[float]
    colours: list[object]
    front: list[tuple[float, float]]
    left_out: int


def read_table(path: str) -> Iterator[Flat]:
    """Yield the rows of a JSON, CSV or Parquet file that a sweep wrote, columns by name.

    Raises ``UsageError`` for any other file.
    """
    suffix = os.path.splitext(path.removesuffix(".part"))[1].lower()
    if suffix == ".parquet" and not path.endswith(".part"):
        from cnnstat.render.as_parquet import read_parquet

        yield from read_parquet(path)
    elif suffix == ".csv" and not path.endswith(".part"):
        yield from _csv(path)
    else:
        yield from map(_flat, _json(path))


def _json(path: str) -> Iterator[Flat]:
    """Yield rows of a file with a row a line, or of a document written in the end."""
    payload: object = None
    try:
        with open(path, encoding="utf-8") as file:
            streamed = file.readline().rstrip().endswith('"models": [')
            if not streamed:
                file.seek(0)
                payload = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "not a JSON, CSV or Parquet file of a sweep"
        raise UsageError(f"cannot read {path}: {reason}") from error
    if streamed:
        yield from read_rows(path)
        return
    whole = payload if isinstance(payload, dict) else {}
    rows = whole.get("models")
    if not isinstance(rows, list) or whole.get("schema") != SCHEMA:
        raise UsageError(f"{path}: not a result of the schema {SCHEMA}")
    yield from (row for row in rows if isinstance(row, dict))


def _flat(row: Flat) -> Flat:
    """Return a row of JSON with the names that it has in CSV."""
    parameters = row.get("parameters")
    own = dict(parameters) if isinstance(parameters, Mapping) else {}
    flat = {f"figures.{key}" if key in own else key: value for key, value in row.items()}
    shape = row.get("input")
    flat["input"] = "x".join(map(str, shape)) if isinstance(shape, list) else None
    inputs = row.get("inputs")
    named = dict(inputs) if isinstance(inputs, Mapping) else {}
    flat |= {f"{NAMED_INPUT}{name}": value for name, value in named.items()}
    return {**flat, **{name: _plain(value) for name, value in own.items()}}


def _plain(value: object) -> object:
    return spelled(tuple(value)) if isinstance(value, list) else value


def _csv(path: str) -> Iterator[Flat]:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if None in row or "model" not in row:
                    raise UsageError(f"{path}: not a CSV file of a sweep")
                yield {n: c if n in TEXTS else _number(c) for n, c in row.items()}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "it is no CSV"
        raise UsageError(f"cannot read {path}: {reason}") from error


def _number(text: str | None) -> object:
    try:
        return int(text or "")
    except ValueError:
        pass
    try:
        return float(text or "")
    except ValueError:
        return None if text in ("", "?", None) else text


def dots(rows: Iterable[Flat], x: Ranking, y: Ranking, colour: str | None) -> Dots:
    """Return what is drawn; raise ``UsageError`` for an unknown column or no model to draw."""
    points: list[tuple[float, float, object]] = []
    left_out = 0
    for row in rows:
        for name in (x.name, y.name, colour) if not points and not left_out else ():
            if name is not None and name not in row:
                known = [key for key in row if key not in ("error", "position")]
                raise unknown("column", name, known)
        across, up = _value(row, x.name), _value(row, y.name)
        if across is None or up is None:
            left_out += 1
        else:
            points.append((across, up, row.get(colour) if colour else None))
    if not points:
        raise UsageError(f"nothing to plot: no model has both {x.name} and {y.name}")
    xs, ys, colours = map(list, zip(*points, strict=True))
    return Dots(xs, ys, colours, _front(xs, ys, x.largest, y.largest), left_out)


def _value(row: Flat, name: str) -> float | None:
    value = row.get(name)
    if name == "input" and isinstance(value, str):
        value = int(value.rpartition("x")[2])
    elif is_named_input(name) and isinstance(value, str):
        value = side_of(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _front(x: list[float], y: list[float], more_x: bool, more_y: bool) -> list[tuple[float, float]]:
    """Return the points that nothing dominates, from the best x on."""
    right, up = -1 if more_x else 1, -1 if more_y else 1
    front: list[tuple[float, float]] = []
    for a, b in sorted(set(zip(x, y, strict=True)), key=lambda p: (right * p[0], up * p[1])):
        if not front or up * b < up * front[-1][1]:
            front.append((a, b))
    return front


def sweep_figure(path: str, *, x: str = "macs", y: str = "params", colour: str | None) -> Figure:
    """Return the plot of a file of results; a minus before a column: more is better.

    Raises ``UsageError`` for a file that is none, and for an unknown column.
    """
    (across,), (up,) = rankings(x), rankings(y)
    points = dots(read_table(path), across, up, colour)
    with styled():
        figure = new_figure(4.4)
        axes = figure.subplots()
        _scatter(axes, points, colour)
        _draw_front(axes, points)
        _axis(axes, "x", across.name, points.x)
        _axis(axes, "y", up.name, points.y)
        left = f", {points.left_out:,} without figures left out" if points.left_out else ""
        axes.set_title(f"{os.path.basename(path)}: {len(points.x):,} models{left}")
        axes.legend(loc="best", fontsize=7, title=colour if _named(points.colours) else None)
    return figure


def _named(colours: list[object]) -> bool:
    """Return whether each colour has its entry in the key."""
    values = set(map(str, colours))
    return values != {"None"} and (len(values) <= MOST_NAMED or not _numbers(colours))


def _numbers(values: list[object]) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _scatter(axes: Axes, dots: Dots, colour: str | None) -> None:
    size = 14 if len(dots.x) <= 2_000 else 4
    style = {"s": size, "linewidths": 0, "alpha": 0.75, "rasterized": len(dots.x) > 5_000}
    if colour is None or set(dots.colours) == {None}:
        axes.scatter(dots.x, dots.y, color=BLUE, **style)  # type: ignore[arg-type]
        return
    if not _named(dots.colours):
        drawn = axes.scatter(dots.x, dots.y, c=dots.colours, cmap="viridis", **style)  # type: ignore[arg-type]
        axes.figure.colorbar(drawn, ax=axes, label=colour)
        return
    values = sorted(dict.fromkeys(dots.colours), key=lambda v: (str(type(v)), v))
    for place, value in enumerate(values):
        here = [index for index, each in enumerate(dots.colours) if each == value]
        axes.scatter(
            [dots.x[index] for index in here],
            [dots.y[index] for index in here],
            color=PALETTE[place % len(PALETTE)],
            marker=MARKERS[place % len(MARKERS)],
            label=str(value),
            **style,  # type: ignore[arg-type]
        )


def _draw_front(axes: Axes, dots: Dots) -> None:
    axes.plot(
        *zip(*dots.front, strict=True),
        color=RED,
        linewidth=1.1,
        marker="o",
        markersize=3.5,
        markerfacecolor="none",
        label=f"front, {len(dots.front):,} of {len(dots.x):,}",
        zorder=4,
    )


def _axis(axes: Axes, which: Literal["x", "y"], name: str, values: list[float]) -> None:
    figure = BY_KEY.get(name.removeprefix("figures."))
    low, high = min(values), max(values)
    if low > 0 and high > LOGARITHMIC * low:
        axes.set(**{f"{which}scale": "log"})
    count_axis(axes, which, "B" if figure and figure.kind == "bytes" else "")
    axes.set(**{f"{which}label": f"{name}: {figure.definition}" if figure else name})
