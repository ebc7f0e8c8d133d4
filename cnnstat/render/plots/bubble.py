"""Accuracy over MACs, with the parameters as the area of the circles: many models in one plot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import sqrt
from typing import TYPE_CHECKING, Literal, NamedTuple

from cnnstat.count.compare import ErrorRate
from cnnstat.count.report import Report
from cnnstat.errors import UsageError
from cnnstat.render.numbers import scaled
from cnnstat.render.plots.labels import Point, label_points
from cnnstat.render.plots.style import (
    PALETTE,
    WIDTH,
    count_axis,
    fitted,
    heading,
    log_axis,
    new_figure,
    styled,
)
from cnnstat.zoo.card import ModelCard

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Rate = Literal["top1", "top5"]

LARGEST = 1100.0
"""Area in square points of the model with the most parameters."""

SMALLEST = 8.0
KEY = 1.2
"""Inches to the right of the panels, for the key of the families."""
NARROW = 5.0
"""Inches of a figure below which the circles of the key stand one below the other."""
MARKS = ("o", "s", "D", "^", "h", "P")
"""Marks of families, a further one for each round through the colours."""


@dataclass(frozen=True, slots=True)
class Bubble:
    """One model: MACs, parameters, and accuracy in percent on a data set."""

    name: str
    family: str
    macs: int
    params: int
    accuracy: float
    dataset: str


class Candidate(NamedTuple):
    """A model that may have a rate; ``own`` is the user's, which goes before a published one."""

    name: str
    report: Report
    card: ModelCard | None
    own: ErrorRate | None = None


OWN = "own models"


def bubbles(
    models: Iterable[Candidate], *, rate: Rate = "top1"
) -> tuple[tuple[Bubble, ...], tuple[str, ...]]:
    """Return the models as bubbles, and the names of those without a rate."""
    circles, without = [], []
    key = f"{rate}_error"
    for name, report, card, own in models:
        rates: Sequence[ErrorRate] = [own] if own else card.accuracy if card else ()
        rated = [each for each in rates if getattr(each, key) is not None]
        if not rated:
            without.append(name)
            continue
        best = min(rated, key=lambda each: each.ensemble)  # one model before an ensemble
        family, accuracy = card.family if card else OWN, 100 - getattr(best, key)
        figures = report.totals.macs, report.totals.params
        circles.append(Bubble(name, family, *figures, accuracy, _dataset(best.dataset)))
    return tuple(circles), tuple(without)


def _dataset(name: str) -> str:
    """Return one name for the data set of all ImageNet papers."""
    return "ImageNet" if name.startswith(("ImageNet", "ILSVRC")) else name or "its data set"


def bubble_figure(circles: Sequence[Bubble], *, rate: Rate = "top1") -> Figure:
    """Return the chart, one panel for each dataset. Raises ``UsageError`` if there is no bubble."""
    if not circles:
        raise UsageError(
            f"nothing to plot: no model has a published {_words(rate)} error "
            "('cnnstat info MODEL' shows what is published)"
        )
    datasets = list(dict.fromkeys(bubble.dataset for bubble in circles))
    families = list(dict.fromkeys(bubble.family for bubble in circles))
    looks = {name: _look(place) for place, name in enumerate(families)}
    most = max(bubble.params for bubble in circles)
    with styled():
        counts = [sum(bubble.dataset == dataset for bubble in circles) for dataset in datasets]
        heights = [3.6 if count > 2 else 2.0 for count in counts]
        figure = new_figure(1.0 + sum(heights), width=WIDTH)
        panels = figure.subplots(
            len(datasets), 1, squeeze=False, gridspec_kw={"height_ratios": heights}
        )[:, 0]
        inside = []
        for axes, dataset in zip(panels, datasets, strict=True):
            members = [bubble for bubble in circles if bubble.dataset == dataset]
            _panel(axes, members, most, looks)
            axes.set_ylabel(f"{_words(rate).capitalize()} accuracy on {dataset}, %")
            inside.append((axes, members))
        panels[-1].set_xlabel("Multiply-accumulates per image")
        _legend(figure, most, looks)
        origin = "" if OWN in families else " as published"
        words = f"{_words(rate).capitalize()} accuracy{origin} (crops and scales differ)"
        heading(figure, fitted(figure, f"{words}; area: parameters", margin=KEY))
        for axes, members in inside:
            label_points(
                axes,
                [Point(b.macs, b.accuracy, _radius(b.params, most), b.name) for b in members],
            )
    return figure


def _words(rate: Rate) -> str:
    return "top-1" if rate == "top1" else "top-5"


def _area(params: int, most: int) -> float:
    return max(LARGEST * params / most, SMALLEST)


def _radius(params: int, most: int) -> float:
    """Return the radius in points of a circle of that area, as matplotlib draws it."""
    return sqrt(_area(params, most)) / 2


def _look(place: int) -> tuple[str, str]:
    """Return the colour and the mark of a family; every colour comes with several marks."""
    return PALETTE[place % len(PALETTE)], MARKS[place // len(PALETTE) % len(MARKS)]


def _panel(
    axes: Axes, members: Sequence[Bubble], most: int, looks: dict[str, tuple[str, str]]
) -> None:
    ordered = sorted(members, key=lambda bubble: -bubble.params)  # small ones in front
    for family, some in groupby(ordered, key=lambda bubble: bubble.family):
        together = list(some)
        colour, mark = looks[family]
        axes.scatter(
            [bubble.macs for bubble in together],
            [bubble.accuracy for bubble in together],
            s=[_area(bubble.params, most) for bubble in together],
            c=colour,
            marker=mark,
            alpha=0.75,
            edgecolors="#333333",
            linewidths=0.6,
            zorder=2,
        )
    low, high = min(b.macs for b in members), max(b.macs for b in members)
    log_axis(axes, "x", (low / 2.2, high * 2.2))
    count_axis(axes, "x")
    worst, best = min(b.accuracy for b in members), max(b.accuracy for b in members)
    margin = max(0.18 * (best - worst), 0.5)
    axes.set_ylim(worst - margin, best + margin)


def _key(mark: str, points: float, colour: str, label: str) -> Line2D:
    """Return a mark with its words, for a key."""
    from matplotlib.lines import Line2D

    edge = {"markeredgecolor": "#333333", "markeredgewidth": 0.6}
    look = {"marker": mark, "markersize": points, "markerfacecolor": colour, **edge}
    return Line2D([], [], linestyle="none", label=label, **look)  # type: ignore[arg-type]


def _legend(figure: Figure, most: int, looks: dict[str, tuple[str, str]]) -> None:
    """Show the families, and three circles with the parameters that they stand for."""
    first = _round_below(most)
    values = list(dict.fromkeys((first, _round_below(first // 4), _round_below(first // 20))))
    handles = [
        _key(
            "o",
            2 * _radius(value, most),
            "#cccccc",
            f"{scaled(value).replace('.00', '')} parameters",
        )
        for value in reversed(values)
        if value > 0
    ]
    families = [_key(mark, 6, colour, name) for name, (colour, mark) in looks.items()]
    widest = 2 * _radius(values[0], most) / 8  # in units of the type's 8 points
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(handles) if figure.get_figwidth() >= NARROW else 1,
        columnspacing=3,
        handlelength=widest + 0.5,
        handleheight=widest + 0.5,
    )
    figure.legend(handles=families, loc="outside right upper", fontsize=7)


def _short(value: int) -> str:
    return scaled(value).replace(".00", "")


def _round_below(value: int) -> int:
    """Return the largest of 1, 2, 5, 10, 20 ... that is not above a value."""
    power = 10 ** (len(str(value)) - 1)
    return next(step * power for step in (5, 2, 1) if step * power <= value) if value else 0
