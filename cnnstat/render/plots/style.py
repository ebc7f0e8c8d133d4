"""Size, type and palette of all plots, and files that are equal for equal input.

A figure is as wide as half a page of A4 in landscape; its type has at least 7 points. The colours
are Okabe and Ito's, which stay distinct in colour blindness; colour is never the only sign.
matplotlib is imported when a plot is made, without pyplot, its window systems or a user's settings.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

from cnnstat.errors import MissingDependencyError, UsageError, unknown
from cnnstat.render.numbers import scaled
from cnnstat.render.safe_text import html_text, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

Model = TypeVar("Model")
Picture = Literal["svg", "png", "pdf"]

PICTURES: tuple[Picture, ...] = get_args(Picture)
WIDTH = 6.4
"""Inches."""
HEADING = 9
"""Points of the type of headings."""
AXIS = 0.8
"""Inches to the left of a panel, for its axis and labels."""

BLUE, ORANGE, GREEN, RED = "#0072b2", "#e69f00", "#009e73", "#d55e00"
PINK, SKY, YELLOW, GREY = "#cc79a7", "#56b4e9", "#f0e442", "#666666"
PALETTE = (BLUE, ORANGE, GREEN, RED, PINK, SKY, YELLOW, GREY)

SETTINGS: dict[str, object] = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, so text is as wide everywhere
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "svg.hashsalt": "cnnstat",
    "svg.fonttype": "path",
    "text.parse_math": False,  # a name may hold dollar signs
}

Style = Literal["screen", "print"]
STYLES: tuple[Style, ...] = get_args(Style)
PRINT: dict[str, object] = {
    "font.family": ["DejaVu Serif"],
    "pdf.fonttype": 42,  # TrueType: publishers refuse Type 3
    "axes.grid": False,
    "savefig.dpi": 300,
}
"""Settings for print: serif type, no grid, no heading of its own (a caption says it)."""
WIDTHS = (2.0, 40.0)
DPIS = (50, 1200)
MOST_SHARED = 20
"""Largest quotient of scales that models side by side share."""
UNITS = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4}


@dataclass(frozen=True, slots=True)
class Appearance:
    """Choices of the user: heading, width in inches, dots per inch (PNG), style."""

    title: str | None = None
    width: float | None = None
    dpi: int | None = None
    style: Style = "screen"


DEFAULT = Appearance()
_appearance: ContextVar[Appearance] = ContextVar("appearance", default=DEFAULT)


def appearance(
    picture: Picture,
    *,
    title: str | None = None,
    width: str | None = None,
    dpi: int | None = None,
    style: str = "screen",
) -> Appearance:
    """Return the choices as they were written. Raises ``UsageError`` for illegal ones."""
    known = next((each for each in STYLES if each == style), None)
    if known is None:
        raise unknown("style", style, STYLES)
    if dpi is not None and picture != "png":
        raise UsageError(f"dpi {dpi}: only a .png has dots; leave it out for .{picture}")
    if dpi is not None and not DPIS[0] <= dpi <= DPIS[1]:
        raise UsageError(f"dpi must be {DPIS[0]} to {DPIS[1]}, got {dpi}")
    return Appearance(title, None if width is None else _inches(width), dpi, known)


def _inches(text: str) -> float:
    match = re.fullmatch(r"\s*(\d{1,4}(?:\.\d{1,4})?)\s*(in|cm|mm)?\s*", text)
    inches = float(match[1]) * UNITS[match[2] or "in"] if match else 0.0
    if not WIDTHS[0] <= inches <= WIDTHS[1]:
        raise UsageError(f"width {text!r:.40}: expected 2 to 40 inches, as in 3.5, 3.5in or 89mm")
    return inches


@contextmanager
def appearing(chosen: Appearance) -> Iterator[None]:
    """Make and save figures with this appearance."""
    token = _appearance.set(chosen)
    try:
        yield
    finally:
        _appearance.reset(token)


METADATA: dict[Picture, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""Entries that are omitted, because they change with the date or the version."""


def require_matplotlib() -> None:
    """Raise ``MissingDependencyError`` where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError("matplotlib", "plot") from error


def picture_of(path: str) -> Picture:
    """Return the format of a file's suffix. Raises ``UsageError`` for an unknown one."""
    suffix = os.path.splitext(path)[1]
    known = next((picture for picture in PICTURES if f".{picture}" == suffix.lower()), None)
    if known is None:
        suffixes = ", ".join(f".{picture}" for picture in PICTURES)
        wrong = f"unknown suffix {suffix!r}" if suffix else "no suffix"
        raise UsageError(f"{path}: {wrong}: a picture ends in one of {suffixes}")
    return known


@contextmanager
def styled() -> Iterator[None]:
    """Use matplotlib's defaults and these settings instead of the user's."""
    require_matplotlib()
    from matplotlib import style

    chosen = _appearance.get()
    further: dict[str, object] = dict(PRINT) if chosen.style == "print" else {}
    if chosen.dpi is not None:
        further["savefig.dpi"] = chosen.dpi
    with style.context(["default", SETTINGS, further]):
        yield


def new_figure(height: float, *, width: float = WIDTH) -> Figure:
    """Return an empty figure, sizes in inches, to be filled inside ``styled``.

    The user's width and heading take the place of the figure's own.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    chosen = _appearance.get()
    figure = Figure(figsize=(chosen.width or width, height), layout="constrained")
    FigureCanvasAgg(figure)
    if chosen.title is not None:
        _write_heading(figure, shown(chosen.title))
    return figure


def heading(figure: Figure | SubFigure, text: str) -> None:
    """Write a figure's own heading, unless the user chose one or prints the figure.

    One of several models is named always.
    """
    from matplotlib.figure import Figure

    chosen = _appearance.get()
    one_of_several = not isinstance(figure, Figure)
    if one_of_several or (chosen.title is None and chosen.style != "print"):
        _write_heading(figure, text)


def _write_heading(figure: Figure | SubFigure, text: str) -> None:
    figure.suptitle(fitted(figure, text), fontsize=HEADING, x=0.01, ha="left")


def fitted(figure: Figure | SubFigure, text: str, *, margin: float = 0) -> str:
    """Return a heading in as many lines as it takes in a figure, or in one of several parts.

    ``margin`` is the width in inches of what stands beside it: an axis and its labels.
    """
    from textwrap import fill

    from matplotlib.textpath import TextPath

    room = 72 * (inches(figure) - margin)  # points
    lines = []
    for line in text.split("\n"):
        width = TextPath((0, 0), line, size=HEADING).get_extents().width
        share = 0.9 * room / width if width > room else 1  # letters differ in width
        lines.append(fill(line, max(10, int(share * len(line)))))
    return "\n".join(lines)


def inches(figure: Figure | SubFigure) -> float:
    """Return the width of a figure, or of one of several parts."""
    return float(figure.bbox.width / figure.dpi)


def side_by_side(
    height: float,
    models: Sequence[Model],
    fill: Callable[[Figure | SubFigure, Model], Sequence[Axes]],
) -> Figure:
    """Return a figure with a column for each model; what ``fill`` draws there shares its scales."""
    with styled():
        count = len(models)
        if count == 1:
            figure = new_figure(height)
            fill(figure, models[0])
            return figure
        figure = new_figure(height, width=min(WIDTH * (1 + 0.6 * (count - 1)), WIDTHS[1]))
        parts = figure.subfigures(1, count, squeeze=False).flat
        for panels in zip(*map(fill, parts, models), strict=True):
            _same_scale(panels)
    return figure


def _same_scale(panels: Sequence[Axes]) -> None:
    """Give panels one scale, unless the smallest would vanish on it."""
    tops = [axes.get_ylim()[1] for axes in panels]
    if max(tops) <= MOST_SHARED * min(tops):
        for axes in panels:
            axes.set_ylim(0, max(tops))


def save(figure: Figure, picture: Picture) -> bytes:
    """Return the figure as the bytes of a file, equal for equal figures."""
    stream = io.BytesIO()
    with styled():
        figure.savefig(stream, format=picture, metadata=METADATA[picture])
    return stream.getvalue()


def inline_svg(figure: Figure, *, label: str) -> str:
    """Return the figure as an ``<svg>`` element for a page; ``label`` describes it.

    It is as wide as its container, without prolog and metadata.
    """
    text = save(figure, "svg").decode()
    text = re.sub(r" *<metadata>.*?</metadata>\n?", "", text, flags=re.DOTALL)
    text = text[text.index("<svg") :]
    head, rest = text.split(">", 1)
    head = re.sub(r' (?:width|height)="[^"]*"', "", head)
    return f'{head} role="img" aria-label="{html_text(label)}">{rest.strip()}\n'


def names_that_fit(figure: Figure | SubFigure, most: int) -> int:
    """Return how many rotated names fit, of those that do on the usual width."""
    return int(most * inches(figure) / WIDTH)


def log_axis(axes: Axes, which: Literal["x", "y"], limits: tuple[float, float]) -> None:
    """Give an axis limits and a logarithmic scale, with a tick at 1, 2 and 5 where they fit."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set(**{f"{which}scale": "log", f"{which}lim": limits})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if limits[1] < 1000 * limits[0] else (1,)))
    axis.set_minor_formatter(NullFormatter())


def count_axis(axes: Axes, which: Literal["x", "y"], unit: str = "") -> None:
    """Write an axis of counts with SI prefixes, as tables do: ``1.5 G``, ``200 kB``."""
    from matplotlib.ticker import FuncFormatter

    def text(value: float, _: object) -> str:
        if value < 1000 and value != int(value):
            return f"{value:g} {unit}".strip()
        number, _, prefix = scaled(round(value)).partition(" ")
        digits = number.rstrip("0").rstrip(".") if "." in number else number
        return f"{digits} {prefix}{unit}".strip()

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(text))
