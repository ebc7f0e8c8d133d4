"""Size, type and palette of all plots, and files that are equal for equal input.

A figure is as wide as half a page of A4 in landscape; its type has at least 7 points. The colours
are Okabe and Ito's, which stay distinct in colour blindness; colour is never the only sign.
matplotlib is imported when a plot is made, without pyplot, its window systems or a user's settings.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, get_args

from cnnstat.errors import MissingDependencyError, UsageError
from cnnstat.render.numbers import scaled
from cnnstat.render.safe_text import html_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Picture = Literal["svg", "png", "pdf"]

PICTURES: tuple[Picture, ...] = get_args(Picture)
WIDTH = 6.4
"""Inches."""

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

    with style.context(["default", SETTINGS]):
        yield


def new_figure(height: float, *, width: float = WIDTH) -> Figure:
    """Return an empty figure, sizes in inches, to be filled inside ``styled``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


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
